-- A closing variable cannot change the report of the error that it sees.
-- action: echo | cat
-- ends: script 1
-- message: mine
-- output: string\tmine\tfalse\tscript.lua:7: attempt to index a string value (upvalue 'e')\nfalse\ttable: *\n
local x <close> = setmetatable({}, { __close = function(_, e)
  print(type(e), tostring(e), pcall(function() e.action, e.kind, e.message = "t.drop", "denied", "fake" end))
  print(pcall(setmetatable, e, {}), getmetatable(e))
  pcall(rawset, e, "action", "t.drop") pcall(rawset, e, "kind", "denied") pcall(rawset, e, "message", "fake") pcall(rawset, e, "traceback", { "fake" })
end })
error("mine", 0)
