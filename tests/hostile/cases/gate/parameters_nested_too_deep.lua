-- 10,000 levels are refused, 128 are not.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter $.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a nests deeper than 128\n764\n
local t = {}
for _ = 1, 10000 do t = { a = t } end
print(pcall(actions.t.echo, t))
t = {}
for _ = 1, 127 do t = { a = t } end
print(#json.encode(actions.t.echo(t)))
