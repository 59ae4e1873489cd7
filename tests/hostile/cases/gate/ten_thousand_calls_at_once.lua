-- Ten thousand branches, each denied, each answered.
-- action: echo | cat
-- options: --deny t.echo
-- ends: ok 0
-- output: 10000\n
local fs, denied = {}, 0
for i = 1, 10000 do fs[i] = function() local ok, e = pcall(actions.t.echo, { i = i }) if e.kind == "denied" then denied = denied + 1 end end end
parallel(fs)
print(denied)
