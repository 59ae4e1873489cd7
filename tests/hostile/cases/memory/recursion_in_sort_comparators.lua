-- The same through comparators.
-- ends: ok 0
-- output: false\tC stack overflow\n
local function f() table.sort({ 1, 2, 3 }, f) end
print(pcall(f))
