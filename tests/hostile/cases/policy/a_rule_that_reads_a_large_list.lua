-- One element among many decides, and reading them costs no more than the parameters did.
-- action: put | wc -c
-- options: --max-memory 256MiB
-- ends: denied 4
-- message: t.put failed: denied by actions/policy.yaml:4 (deny t.put)
local items = {}
for i = 1, 50000 do items[i] = { n = i % 10 } end
assert(actions.t.put({ items = items }) > 0)
items[40000].n = 11
actions.t.put({ items = items })
---- actions/policy.yaml
version: 1
default: allow
rules:
  - deny: t.put
    when: { "items.*.n": { over: 10 } }
