-- Actions in comparators, callbacks, metamethods and generators.
-- action: echo | cat
-- ends: ok 0
-- output: 1 2 3\tb\ntext\n1\n2\ntrue\n
local echo = actions.t.echo
local t = { 3, 1, 2 }
table.sort(t, function(a, b) return echo({ a = a }).a < b end)
print(table.concat(t, " "), (("a"):gsub("a", function() return echo({ s = "b" }).s end)))
print(tostring(setmetatable({}, { __tostring = function() return echo({ s = "text" }).s end })))
for v in coroutine.wrap(function() for i = 1, 2 do coroutine.yield(echo({ i = i }).i) end end) do print(v) end
print(load(function() local s = echo({ s = "" }).s return s ~= "" and s or nil end) ~= nil)
