print(pcall(parallel, function() coroutine.close(coroutine.running()) end, function() return actions.t.echo({ n = 1 }).n end))
local other
print(pcall(parallel, function() other = coroutine.running() return actions.t.echo({ n = 2 }).n end,
  function() return pcall(coroutine.close, other) end))
print(pcall(parallel, function() coroutine.close() end, function() return 3 end))
