-- A repo whose tables hold themselves is walked once.
-- action: echo | cat
-- ends: ok 0
-- output: true\t{"a":1}\nfalse\ttrue\n{ t = { echo = function: 0x, me = <cycle>, up = <cycle> } }\n
print(actions.t.me.me.me.up.t.echo ~= nil, json.encode(actions.t.me.echo({ a = 1 })))
-- Which of its entries is met first is chance.
local ok, problem = pcall(json.encode, actions.t)
print(ok, problem:find("contains itself", 1, true) ~= nil or problem:find("is a function", 1, true) ~= nil)
print((inspect(actions, 3):gsub("0x%x+", "0x")))
---- actions/init.lua
local t = { echo = define_action({ source = "../impl", entrypoint = "echo.sh", executor = "native" }) }
t.me = t
local root = { t = t }
t.up = root
return root
