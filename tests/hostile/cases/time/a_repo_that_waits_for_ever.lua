-- A repo that yields waits for nobody.
-- ends: repo 3
-- message: attempt to yield from outside a coroutine
print("not reached")
---- actions/init.lua
coroutine.yield()
