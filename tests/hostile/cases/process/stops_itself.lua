-- A stopped process is ended by its timeout.
-- action: a timeout = "500ms" | kill -STOP $$; echo 1
-- ends: ok 0
-- output: false\tt.a failed: timed out after 500ms\n
print(pcall(actions.t.a, {}))
