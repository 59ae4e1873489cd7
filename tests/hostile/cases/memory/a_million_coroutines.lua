-- Coroutines that are kept, each with a stack of its own.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local kept = {}
for i = 1, 1e6 do kept[i] = coroutine.create(function() coroutine.yield() end) coroutine.resume(kept[i]) end
