-- An array and a hash that grow.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local a, h = {}, {}
for i = 1, 1e9 do a[i] = i h[i + 0.5] = i end
