-- A script that yields without an action is an error at once.
-- ends: script 1
-- message: attempt to yield from outside a coroutine
-- output: false\tattempt to yield from outside a coroutine\nfalse\tattempt to yield from outside a coroutine\nfalse\tattempt to yield from outside a coroutine\n
print(pcall(coroutine.yield))
print(pcall(parallel, function() coroutine.yield() end))
print(pcall(race, function() coroutine.yield(1) end))
coroutine.yield()
