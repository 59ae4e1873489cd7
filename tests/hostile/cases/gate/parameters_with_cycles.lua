-- A table that holds itself is named by its place.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter $.a.b.c contains itself\n
local t = { a = { b = {} } }
t.a.b.c = t.a
print(pcall(actions.t.echo, t))
