-- A branch that waits cannot be resumed, wrapped or closed by others.
-- action: echo | cat
-- ends: ok 0
-- output: 1\tfalse cannot resume non-suspended coroutine normal\n
local first
print(parallel(function() first = coroutine.running() return actions.t.echo({ n = 1 }).n end,
  function() local a, b = coroutine.resume(first, "mine") return tostring(a) .. " " .. tostring(b) .. " " .. coroutine.status(first) end))
