-- options: --max-cpu 300ms
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
local t = { 1 }
for i = 1, 40 do t = { t, t } end
inspect(t)
