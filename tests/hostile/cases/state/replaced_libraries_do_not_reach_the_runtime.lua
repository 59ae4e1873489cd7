-- The same for the functions of the libraries.
-- action: echo | cat
-- ends: script 1
-- message: script.lua:15: the end
-- output: {"a":1}\n1\t2\n1\t3\n{ 1, { b = 2 } }\t1\tfalse\tmodule 'x' not found:\n\tno field package.preload['x']\n\tno file 'x.lua' in the actions repo\n\tno file 'x/init.lua' in the actions repo\n
local function evil() while true do end end
local libraries = { table = table, coroutine = coroutine, string = string, math = math, utf8 = utf8, os = os, debug = debug, json = false }
for _, lib in pairs(libraries) do
  if lib then for name in pairs(lib) do lib[name] = evil end end
end
print(json.encode(actions.t.echo({ a = 1 })))
print(parallel(function() return actions.t.echo({ n = 1 }).n end, function() return 2 end))
print(race(function() return 3 end))
print(inspect({ 1, { b = 2 } }), #keys({ a = 1 }), pcall(require, "x"))
error("the end")
