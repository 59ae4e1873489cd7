-- A range that has to be filled.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(table.move, setmetatable({}, { __index = function(_, i) return i end }), 1, 1e8, 1, {}))
