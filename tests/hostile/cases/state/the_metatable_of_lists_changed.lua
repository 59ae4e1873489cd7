-- A script can change the metatable of lists, which affects only its own values.
-- action: echo | cat
-- ends: ok 0
-- output: 2\tmine\t{"l":[1,2]}\ttrue\n
local mt = getmetatable(json.array())
mt.__index = function() return "mine" end
mt.__len = function() return 1e9 end
mt.__gc = function() error("x") end
mt.__pairs = function() while true do end end
local answer = actions.t.echo({ l = { 1, 2 } })
print(rawlen(answer.l), answer.l[9], json.encode(answer), inspect(answer.l, 2) ~= nil)
