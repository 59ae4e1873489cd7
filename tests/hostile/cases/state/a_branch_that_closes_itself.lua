-- A branch of `parallel` that closes its own coroutine, or another's, is over, and the rest goes on.
-- action: echo | cat
-- ends: ok 0
-- output: true\tnil\t1\ntrue\t2\tfalse\ntrue\tnil\t3\n
print(pcall(parallel, function() coroutine.close(coroutine.running()) end, function() return actions.t.echo({ n = 1 }).n end))
local other
print(pcall(parallel, function() other = coroutine.running() return actions.t.echo({ n = 2 }).n end,
  function() return pcall(coroutine.close, other) end))
print(pcall(parallel, function() coroutine.close() end, function() return 3 end))
