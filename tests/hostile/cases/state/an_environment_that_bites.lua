-- An _ENV whose __index raises ends the script with its own error.
-- ends: script 1
-- message: no print
local error = error
local _ENV = setmetatable({}, { __index = function(_, k) error("no " .. k, 0) end })
print("x")
