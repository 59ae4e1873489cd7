-- A `__name` reaches error messages, and is made visible there.
-- ends: script 1
-- message: x\u{1b}[2J\rError
local t = setmetatable({}, { __name = "\27[2J\rError: fake" })
error("x" .. tostring(t):sub(1, 10), 0)
