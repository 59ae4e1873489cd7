-- The message for an error that is not a string names its type.
-- ends: repo 3
-- message: (error object is a table value)
print("not reached")
---- actions/init.lua
error(setmetatable({}, { __tostring = function() error("again") end }))
