-- Parameters are one table with names.
-- action: echo | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameters must be a table, got number\nfalse\tt.echo failed: parameters must be a table, got string\nfalse\tt.echo failed: parameters must be a table, got boolean\nfalse\tt.echo failed: parameters must be a table, got function\nfalse\tt.echo failed: parameters must be a table, got thread\nfalse\tt.echo failed: parameters must be a table, got userdata\nfalse\tt.echo failed: parameters must be a table with names, got a list\nfalse\tt.echo failed: parameters must be a table with names, got a list\nfalse\tfalse\tt.echo failed: parameters must be one table, got 2 arguments\n{}\t{}\n
for _, v in ipairs { 5, "x", true, print, coroutine.create(print), json.null, { 1, 2 }, json.array{} } do print(pcall(actions.t.echo, v)) end
print(pcall(actions.t.echo, {}, {}), pcall(actions.t.echo, {}, nil))
print(json.encode(actions.t.echo(nil)), json.encode(actions.t.echo()))
