-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local t = {}
for i = 1, 1e6 do t[i] = -i end
table.sort(t, function(a, b) for _ = 1, 1000 do end return a < b end)
