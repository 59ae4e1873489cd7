-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
pcall(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) error("x") end)
print("not reached")
