local co
co = coroutine.create(function() print(pcall(coroutine.resume, co)) print(pcall(coroutine.close, co)) end)
print(coroutine.resume(co))
print(pcall(coroutine.close, coroutine.running()))
print(coroutine.resume(co), coroutine.close(co), coroutine.status(co))
print(pcall(coroutine.yield, 1))
local w = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() error("closed", 0) end }) error("e", 0) end)
print(pcall(w))
print(pcall(w))
