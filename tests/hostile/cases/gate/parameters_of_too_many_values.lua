-- The number of values is bounded, too: small ones take more room than their text.
-- action: echo | cat
-- options: --max-memory 1GiB
-- ends: ok 0
-- output: false\tt.echo failed: bad parameters: it holds more than 4194304 values\n
local list = {}
for i = 1, 5000000 do list[i] = 0 end
print(pcall(actions.t.echo, { list = list }))
