-- Closures that are kept, each with an upvalue of its own.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local kept = {}
for i = 1, 1e7 do local n = i kept[i] = function() n = n + 1 return kept end end
