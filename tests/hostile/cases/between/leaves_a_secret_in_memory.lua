-- Fills its memory with a text that the next instance in the slot must not find: `fresh memory` in together.rs looks.
-- options: --max-memory 64MiB
-- ends: ok 0
-- output: 20000\n
local kept = {}
for i = 1, 20000 do kept[i] = "a secret of the run before " .. i end
print(#kept)
