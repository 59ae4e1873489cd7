-- C functions that call Lua that calls C functions.
-- ends: ok 0
-- output: false\tC stack overflow\n
local function f() return ("x"):gsub("x", f) end
print(pcall(f))
