-- The same through __index, __eq, __concat, __tostring and __call.
-- ends: ok 0
-- output: false\tscript.lua:6: C stack overflow\nfalse\tscript.lua:7: C stack overflow\nfalse\tC stack overflow\nfalse\tscript.lua:9: C stack overflow\nfalse\t'__call' chain too long\n
local t = setmetatable({}, {})
local mt = getmetatable(t)
mt.__index = function(_, k) return t[k] end
mt.__concat = function(a, b) return a .. b end
mt.__tostring = function(x) return tostring(x) end
mt.__lt = function(a, b) return a < b end
for _, f in ipairs { function() return t.x end, function() return t .. "" end, function() return tostring(t) end, function() return t < t end } do
  local ok, problem = pcall(f)
  print(ok, (problem:gsub("\n.*", "")))
end
local c = setmetatable({}, {})
getmetatable(c).__call = c
print(pcall(c))
