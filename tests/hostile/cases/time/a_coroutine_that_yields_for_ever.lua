-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end
