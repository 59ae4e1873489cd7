-- Endless recursion reaches Lua's own bound, which is an error that can be caught.
-- ends: script 1
-- message: script.lua:5: stack overflow
-- output: false\tscript.lua:5: stack overflow\n
local function f(n) return 1 + f(n + 1) end
local ok, problem = pcall(f, 1)
print(ok, (tostring(problem):gsub("\n.*", "")))
f(1)
