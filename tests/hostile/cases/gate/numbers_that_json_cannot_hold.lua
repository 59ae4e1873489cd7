-- NaN and the infinities are named by their place.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter $.a[1] is NaN, which JSON cannot hold\nfalse\tt.echo failed: parameter $.a is infinity, which JSON cannot hold\nfalse\tt.echo failed: parameter $["a\u{1b}b"] is infinity, which JSON cannot hold\n
print(pcall(actions.t.echo, { a = { 0/0 } }))
print(pcall(actions.t.echo, { a = 1/0 }))
print(pcall(actions.t.echo, { ["a\27b"] = -1/0 }))
