-- Patterns that take exponential time elsewhere, and huge ones, take what the script may compute, and no more.
-- action: unused | cat
-- options: --max-cpu 5s --max-memory 128MiB
-- ends: ok 0
-- output: false\tfalse\n
local text = ("a"):rep(5000) .. "!"
local one = regex.match(text, "^(a+)+$")
local other = regex.match(text, "^(a|aa)+$")
pcall(regex.match, text, ("(a{1,200}){1,200}"))
pcall(regex.match, text, ("("):rep(10000))
print(one, other)
