-- The same for a process that calls setsid and times out.
-- action: a timeout = "300ms" | setsid sleep 1000 & setsid sh -c 'trap "" TERM; sleep 1000' & sleep 1000
-- ends: ok 0
-- output: false\tt.a failed: timed out after 300ms\n
print(pcall(actions.t.a, {}))
