-- Replacing globals does not affect the runtime.
-- action: echo | cat
-- ends: ok 0
-- output: {"a":[1,2]}\t{ x = 1 }\t2\nfalse\tno action 't.missing'\n1\t2\n
local print, echo, pcall0 = print, actions.t.echo, pcall
local function evil() while true do end end
for _, name in ipairs { "tostring", "error", "pcall", "xpcall", "type", "next", "pairs", "ipairs", "select", "rawget",
  "rawset", "setmetatable", "getmetatable", "load", "assert", "rawequal", "rawlen", "tonumber", "collectgarbage" } do
  _G[name] = evil
end
print(json.encode(echo({ a = { 1, 2 } })), inspect({ x = 1 }), (count({ 1, 2 })))
print(pcall0(function() return actions.t.missing end))
print(parallel(function() return echo({ n = 1 }).n end, function() return 2 end))
