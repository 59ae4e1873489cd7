-- A call that the script gives up was made, so it counts; one that is refused before a budget is asked does not.
-- action: slow locked = { owner = "us" } | sleep 60
-- action: quick | cat
-- ends: ok 0
-- output: 5 given up\ninvalid_params\ndenied\ndenied\n5 given up, 1 made\n
local given_up = 0
for _ = 1, 5 do
  local first = race(function() actions.t.slow({}) end, function() sleep(0.3) return "late" end)
  if first == 2 then given_up = given_up + 1 end
end
print(given_up .. " given up")
print(select(2, pcall(actions.t.slow, { owner = "me" })).kind)
for _ = 1, 2 do print(select(2, pcall(actions.t.quick, { n = 2 })).kind) end
local made = 0
for i = 1, 20 do
  if pcall(actions.t.quick, { n = 1 }) then made = made + 1 end
end
print(given_up .. " given up, " .. made .. " made")
---- actions/policy.yaml
version: 1
default: allow
rules:
  - deny: t.quick
    when: { n: { over: 1 } }
budgets:
  - { actions: [t.slow, t.quick], calls: 6, per: run }
