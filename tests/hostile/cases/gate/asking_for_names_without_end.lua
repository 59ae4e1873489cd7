-- `actions.has` raises no error for any name.
-- action: echo | cat
-- ends: ok 0
-- output: true\tfalse\tfalse\tfalse\tfalse\tfalse\n
print(actions.has("t.echo"), actions.has("t"), actions.has(), actions.has({}), actions.has(("x"):rep(1e6)), actions.has("kael.print"))
