-- A repo that yields gets an error.
-- ends: repo 3
-- message: attempt to yield from outside a coroutine
print("not reached")
---- actions/init.lua
coroutine.yield()
