-- A budget of a run holds however its calls are made: by another name, from a kept result, with retries, in branches,
-- races and coroutines. What several attempts answer counts once.
-- action: put | cat
-- action: kept cache = '1h' | echo 1
-- action: fails retry = { attempts = 3, backoff = '1ms' } | exit 1
-- ends: denied 4
-- message: t.put failed: denied by actions/policy.yaml:4 (budget of 10 calls of t.*): the budget of the run is spent
-- output: 4\n10\n10\n10\n
local made = 0
local function call(action, params)
  local ok, e = pcall(action, params)
  if ok or e.kind ~= "denied" then made = made + 1 end
end
actions.t.other = actions.t.put
call(actions.t.other, {})
call(actions.t.kept, {})
call(actions.t.kept, {})
call(actions.t.fails, {})
print(made)
local branches = {}
for i = 1, 300 do
  branches[i] = function() call(i % 2 == 0 and actions.t.put or actions.t.kept, {}) end
end
parallel(branches)
print(made)
for _ = 1, 20 do
  race(function() call(actions.t.put, {}) return 1 end, function() call(actions.t.kept, {}) return 2 end)
end
print(made)
for _ = 1, 1000 do
  coroutine.wrap(function() call(actions.t.put, {}) end)()
end
print(made)
actions.t.put({})
---- actions/policy.yaml
version: 1
default: allow
budgets:
  - { actions: "t.*", calls: 10, per: run }
