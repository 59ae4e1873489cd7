-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
print(setmetatable({}, { __tostring = function() while true do end end }))
