-- The report of an error asks the error for its text, within the limits.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
error(setmetatable({}, { __tostring = function() while true do end end }))
