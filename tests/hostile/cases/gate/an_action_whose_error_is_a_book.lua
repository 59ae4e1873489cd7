-- A message is one line for a person: the rest of it is cut off.
-- action: a | printf '{"error":"'; head -c 30000000 /dev/zero | tr '\0' x; printf '"}'; exit 1
-- ends: ok 0
-- output: false\tfailed\ttrue\n
local ok, e = pcall(actions.t.a, {})
print(ok, e.kind, #e.message < 10000)
