-- A timeout ends a process that ignores TERM.
-- action: a timeout = "300ms" | trap '' TERM INT HUP; sleep 1000 & while :; do wait; done
-- ends: ok 0
-- output: false\tt.a failed: timed out after 300ms\n
print(pcall(actions.t.a, {}))
