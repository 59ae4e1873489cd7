-- A long name is cut where it is shown.
-- action: echo | cat
-- ends: ok 0
-- output: false\tunknown_action\ttrue\n
local ok, problem = pcall(function() return actions.t[("x"):rep(1 << 20)] end)
print(ok, problem.kind, #tostring(problem) < 500)
