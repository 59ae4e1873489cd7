-- More than 64 MiB is refused before anything runs.
-- action: echo | cat
-- options: --max-memory 1GiB
-- ends: ok 0
-- output: false\tt.echo failed: the parameters are larger than 64 MiB\n
local piece = ("x"):rep(1 << 10):rep(1 << 10)
local list = {}
for i = 1, 100 do list[i] = piece end
print(pcall(actions.t.echo, { list = list }))
