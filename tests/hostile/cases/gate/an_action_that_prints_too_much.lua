-- The output of an action is bounded.
-- action: a | yes
-- ends: ok 0
-- output: false\tt.a failed: printed more than 64 MiB\n
print(pcall(actions.t.a, {}))
