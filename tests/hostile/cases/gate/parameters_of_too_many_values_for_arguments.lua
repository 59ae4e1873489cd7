-- A tree of values takes many times the room of its text: arguments and variables are made of small ones alone.
-- action: a input = 'args' | echo 1
-- action: b input = 'env', defaults = { v = 1 } | echo 1
-- ends: ok 0
-- output: invalid_params\tparameters that become arguments or variables may hold 100000 values, and these are 600003\ninvalid_params\tparameters that become arguments or variables may hold 100000 values, and these are 600003\n
local v = {}
for i = 1, 200000 do v[i] = { [""] = 0 } end
for _, name in ipairs { "a", "b" } do
  local _, e = pcall(actions.t[name], { v = v })
  print(e.kind, e.message)
end
