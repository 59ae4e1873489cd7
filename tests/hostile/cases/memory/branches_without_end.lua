-- A million branches at once.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local fs = {}
for i = 1, 1e6 do fs[i] = function() return i end end
parallel(fs)
