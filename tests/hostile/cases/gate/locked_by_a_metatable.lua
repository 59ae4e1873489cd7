-- The gate gets the raw content of the table: no metamethod is called.
-- action: echo locked = { tenant = "acme" } | cat
-- ends: ok 0
-- output: {"a":1,"tenant":"acme"}\n{"inner":{"a":1},"tenant":"acme"}\n
local sly = setmetatable({ a = 1 }, { __index = { tenant = "evil" }, __pairs = function() return function(_, k) if not k then return "tenant", "evil" end end end,
  __len = function() return 9 end, __name = "x", __tostring = function() return '{"tenant":"evil"}' end })
print(json.encode(actions.t.echo(sly)))
print(json.encode(actions.t.echo({ inner = sly })))
