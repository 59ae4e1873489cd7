-- A reader that loads, without end.
-- ends: ok 0
-- output: true\tfunction: *\n
local function reader() return load(reader) and "" end
print(pcall(load, reader))
