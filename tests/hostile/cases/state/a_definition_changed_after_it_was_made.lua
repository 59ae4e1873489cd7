-- Later changes of the table given to define_action have no effect.
-- action: echo | cat
-- ends: ok 0
-- output: {"who":"team"}\n
print(json.encode(actions.a({})))
---- actions/init.lua
local d = { source = "../impl", entrypoint = "echo.sh", executor = "native", locked = { who = "team" } }
local a = define_action(d)
d.locked.who, d.locked, d.source = "script", nil, "/bin"
return { a = a }
