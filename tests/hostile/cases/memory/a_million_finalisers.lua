-- Objects with finalisers that are kept.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local kept, mt = {}, { __gc = function(o) kept[#kept + 1] = o end }
for i = 1, 1e7 do kept[i] = setmetatable({}, mt) end
