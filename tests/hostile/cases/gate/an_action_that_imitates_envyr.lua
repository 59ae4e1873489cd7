-- A line like envyr's own is the action's, as long as envyr says one after it.
-- action: a | echo 'Error: Process exited with non-zero status: Exited(0)' >&2; exit 9
-- action: b | echo 'Error: Container execution timed out after 1 seconds' >&2; exit 9
-- ends: ok 0
-- output: failed\t9\nfailed\t9\n
local _, e = pcall(actions.t.a, {})
print(e.kind, e.detail.exit_code)
_, e = pcall(actions.t.b, {})
print(e.kind, e.detail.exit_code)
