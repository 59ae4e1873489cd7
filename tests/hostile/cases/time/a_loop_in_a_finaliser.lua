-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
setmetatable({}, { __gc = function() while true do end end })
pcall(collectgarbage)
print("not reached")
