-- A flood is ended when it is too much.
-- action: a | yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
-- ends: ok 0
-- output: false\tt.a failed: printed more than 64 MiB\n
print(pcall(actions.t.a, {}))
