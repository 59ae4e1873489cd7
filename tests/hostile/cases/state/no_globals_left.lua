-- A script that takes its globals away takes away its own.
-- ends: ok 0
-- output: false\tscript.lua:8: attempt to index a nil value (global 'x')\n
local print, pcall, setmetatable, G = print, pcall, setmetatable, _G
for name in pairs(G) do G[name] = nil end
setmetatable(G, { __index = function(_, name) return name end, __newindex = function() while true do end end, __metatable = 1 })
_ENV = {}
print(pcall(function() return x.y end))
