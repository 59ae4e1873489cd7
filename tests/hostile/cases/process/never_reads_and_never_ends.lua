-- The same, until the timeout.
-- action: a timeout = "300ms" | sleep 1000
-- ends: ok 0
-- output: false\tt.a failed: timed out after 300ms\n
print(pcall(actions.t.a, { s = ("x"):rep(1000):rep(2000) }))
