-- What the policy denies is denied wherever the script has put it, and in every branch.
-- action: safe | cat
-- action: drop | cat
-- ends: denied 4
-- message: t.drop failed: denied by actions/policy.yaml:4 (deny t.drop)
-- output: false\ttrue\nfalse\ttrue\n
actions.t.other = actions.t.drop
actions.t.safe = actions.t.drop
local function is_denied(ok, why)
  print(ok, why.kind == "denied" and why.detail.line == 4)
end
is_denied(pcall(actions.t.other, {}))
is_denied(pcall(function() parallel({ function() actions.t.safe({}) end }) end))
actions.t.drop({})
---- actions/policy.yaml
version: 1
default: allow
rules:
  - deny: t.drop
