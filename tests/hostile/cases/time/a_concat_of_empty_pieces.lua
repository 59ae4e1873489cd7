-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
print(#table.concat(setmetatable({}, { __index = function() return "" end, __len = function() return 1e15 end })))
