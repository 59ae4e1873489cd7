-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local function again() setmetatable({}, { __gc = again }) end
again()
while true do collectgarbage() end
