-- Tables that look in each other.
-- ends: ok 0
-- output: false\tscript.lua:6: '__index' chain too long; possible loop\nfalse\tscript.lua:9: '__index' chain too long; possible loop\n
local a, b = {}, {}
setmetatable(a, { __index = b }) setmetatable(b, { __index = a })
print(pcall(function() return a.x end))
local t = {}
for i = 1, 100000 do t = setmetatable({}, { __index = t }) end
print(pcall(function() return t.x end))
