-- Closing, resuming and wrapping coroutines in states that do not allow it.
-- ends: ok 0
-- output: true\tfalse\tcannot resume non-suspended coroutine\ntrue\nfalse\tcannot close the main thread\nfalse\ttrue\tdead\nfalse\tattempt to yield from outside a coroutine\nfalse\tclosed\nfalse\tcannot resume dead coroutine\n
local co
co = coroutine.create(function() print(pcall(coroutine.resume, co)) print(pcall(coroutine.close, co)) end)
print(coroutine.resume(co))
print(pcall(coroutine.close, coroutine.running()))
print(coroutine.resume(co), coroutine.close(co), coroutine.status(co))
print(pcall(coroutine.yield, 1))
local w = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() error("closed", 0) end }) error("e", 0) end)
print(pcall(w))
print(pcall(w))
