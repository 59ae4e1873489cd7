-- The scheduler recognises its own yields by identity, and not by metamethods.
-- ends: ok 0
-- output: false\tattempt to yield from outside a coroutine\ntrue\ttrue\tnil\n0\n
local met = 0
local trap = setmetatable({}, { __eq = function() met = met + 1 return true end })
print(pcall(parallel, function() coroutine.yield(trap, 1) end, function() return 1 end))
print(pcall(parallel, function()
  local f = coroutine.wrap(function() coroutine.yield(trap, 1) end)
  return rawequal(f(), trap)
end, function() end))
print(met)
