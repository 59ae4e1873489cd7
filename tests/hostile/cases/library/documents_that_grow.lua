-- YAML whose aliases multiply, and documents that nest without end, are errors that a script can catch.
-- action: unused | cat
-- options: --max-memory 256MiB
-- ends: ok 0
-- output: false\tfalse\tfalse\tfalse\n
local bomb = { "a0: &a0 [xxxxxxxxxx, xxxxxxxxxx]" }
for at = 1, 40 do bomb[#bomb + 1] = ("a%d: &a%d [*a%d, *a%d, *a%d]"):format(at, at, at - 1, at - 1, at - 1) end
print(pcall(yaml.parse, table.concat(bomb, "\n")) and 1 or false, pcall(yaml.parse, ("["):rep(100000)) and 1 or false,
  pcall(yaml.parse, ("a:\n"):rep(1) .. ("- "):rep(50000)) and 1 or false, pcall(toml.parse, "a = " .. ("["):rep(100000)) and 1 or false)
