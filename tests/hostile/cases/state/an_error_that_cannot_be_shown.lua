-- An error whose __tostring raises, yields or returns no text.
-- ends: script 1
-- message: (error object is a table value)
-- output: true\t5\nfalse\tx\nfalse\tattempt to yield from outside a coroutine\n
print(pcall(tostring, setmetatable({}, { __tostring = function() return 5 end })))
print(pcall(tostring, setmetatable({}, { __tostring = function() error("x", 0) end })))
print(pcall(print, setmetatable({}, { __tostring = function() coroutine.yield() end })))
error(setmetatable({}, { __tostring = function() return {} end }))
