print(pcall(coroutine.yield))
print(pcall(parallel, function() coroutine.yield() end))
print(pcall(race, function() coroutine.yield(1) end))
coroutine.yield()
