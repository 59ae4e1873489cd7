-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local co = coroutine.wrap(function() while true do end end)
pcall(co)
print("not reached")
