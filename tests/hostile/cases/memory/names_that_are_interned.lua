-- Short strings, each another.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local kept = {}
for i = 1, 1e8 do kept["k" .. i] = true end
