-- A value that is small and whose JSON is not.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local t = { 1 }
for i = 1, 40 do t = { t, t } end
print(pcall(json.encode, t))
