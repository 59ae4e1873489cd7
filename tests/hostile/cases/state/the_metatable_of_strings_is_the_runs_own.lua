-- Changed string methods affect the script and not the runtime.
-- action: echo | cat
-- ends: ok 0
-- output: {"a":1}\n{ 1, a = "b" }\tfalse\tmodule 'none' not found:\n\tno field package.preload['none']\n\tno file 'none.lua' in the actions repo\n\tno file 'none/init.lua' in the actions repo\nfalse\tno action 't.nope'\n1\t2\n
local mt = getmetatable("")
for name in pairs(string) do string[name] = function() error("mine") end end
mt.__index = function() error("mine") end
mt.__concat = function() error("mine") end
mt.__add, mt.__len, mt.__eq, mt.__lt, mt.__call = mt.__concat, mt.__concat, mt.__concat, mt.__concat, mt.__concat
print(json.encode(actions.t.echo({ a = 1 })))
print(inspect({ a = "b", 1 }), pcall(require, "none"))
print(pcall(function() return actions.t.nope end))
print(parallel(function() return 1 end, function() return actions.t.echo({ b = 2 }).b end))
