-- A result whose JSON does not fit.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local t = { ("x"):rep(1000) }
for i = 1, 30 do t = { t, t } end
return t
