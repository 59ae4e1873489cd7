-- A reference that the repo kept refuses, by name, once the repo has loaded.
-- ends: ok 0
-- output: false\tdefine_action exists only while the actions repo loads\nfalse\tdefine_action exists only while the actions repo loads\n
print(pcall(actions.keep, { source = "/bin", entrypoint = "sh", executor = "native" }))
print(pcall(function() return actions.late() end))
---- actions/init.lua
local keep = define_action
return { keep = keep, late = function() return coroutine.wrap(function() return keep({ source = "/", executor = "native" }) end)() end }
