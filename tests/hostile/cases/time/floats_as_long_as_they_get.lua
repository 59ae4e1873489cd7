-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local f = ("%99.99f"):rep(50)
local t = {}
for i = 1, 50 do t[i] = 1e308 end
while true do local s = f:format(table.unpack(t)) end
