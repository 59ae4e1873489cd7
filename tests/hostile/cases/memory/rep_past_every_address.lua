-- A size that no memory could hold is an error of Lua's own, and its neighbours are the limit.
-- options: --max-memory 32MiB
-- ends: ok 0
-- output: false\tfalse\tresulting string too large\nfalse\tresulting string too large\n
print(pcall(string.rep, "x", 1 << 53), pcall(string.rep, "abc", math.maxinteger))
print(pcall(string.rep, "x", 4294967295))
