-- Nothing in Lua keeps a run that ends itself.
-- ends: ok 0
-- output: before\n
local closing <close> = setmetatable({}, { __close = function() print("closed") end })
KEPT = setmetatable({}, { __gc = function() print("finalised") end })
print("before")
pcall(function() xpcall(os.exit, print, 0) end)
print("after")
