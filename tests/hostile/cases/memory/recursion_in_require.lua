-- A preloader that requires the next name, without end.
-- options: --max-cpu 500ms
-- ends: limit 5
-- message: the script computed for *s, and may for 500ms
local n = 0
setmetatable(package.preload, { __index = function() return function() n = n + 1 return require("m" .. n) end end })
local ok, problem = pcall(require, "m")
print(ok, #tostring(problem) < 500)
