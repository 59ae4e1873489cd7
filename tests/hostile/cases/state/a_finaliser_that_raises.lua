-- An error in a finaliser is a warning, and warnings go nowhere.
-- ends: ok 0
-- output: on\n
setmetatable({}, { __gc = function() error("\27[31mfake") end })
collectgarbage()
warn("@on")
warn("\27[31mfake")
print("on")
