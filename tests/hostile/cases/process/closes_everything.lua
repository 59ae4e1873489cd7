-- A process that closes its pipes and lives on is ended by its timeout.
-- action: a timeout = "500ms" | exec >&- 2>&- <&-; sleep 1000
-- ends: ok 0
-- output: false\tt.a failed: timed out after 500ms\n
print(pcall(actions.t.a, {}))
