-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
table.move(setmetatable({}, { __index = function() end }), 1, 1e15, 1, setmetatable({}, { __newindex = function() end }))
