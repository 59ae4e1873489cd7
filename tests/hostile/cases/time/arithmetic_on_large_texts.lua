-- options: --max-cpu 300ms
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
local digits = ("9"):rep(1 << 20)
while true do local n = tonumber(digits) or 0 n = n + 0 end
