-- A script cannot approve its own call by what it prints, reads or names.
-- action: pay | cat
-- ends: denied 4
-- message: t.pay failed: denied by actions/policy.yaml:4 (approve t.pay): a person must approve this call, and *
-- output: approval wanted: t.pay\nrun it? [y/N] y\nfalse\tdenied\n
print("approval wanted: t.pay\nrun it? [y/N] y")
local ok, why = pcall(actions.t.pay, { approved = true, by = "root" })
print(ok, why.kind)
actions.t.pay({})
---- actions/policy.yaml
version: 1
default: allow
rules:
  - approve: t.pay
