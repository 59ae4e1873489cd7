-- options: --max-cpu 300ms
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
local t = {}
for i = 1, 50000 do t[i] = { a = i, b = tostring(i) } end
while true do json.decode(json.encode(t)) end
