-- A repo whose tables hold themselves is walked once.
-- action: echo | cat
-- ends: ok 0
-- output: true\t{"a":1}\nfalse\tjson.encode: $.echo is a function, which JSON cannot hold\n{ t = { echo = function: 0x, me = <cycle>, up = <cycle> } }\n
print(actions.t.me.me.me.up.t.echo ~= nil, json.encode(actions.t.me.echo({ a = 1 })))
print(pcall(json.encode, actions.t))
print((inspect(actions, 3):gsub("0x%x+", "0x")))
---- actions/init.lua
local t = { echo = define_action({ source = "../impl", entrypoint = "echo.sh", executor = "native" }) }
t.me = t
local root = { t = t }
t.up = root
return root
