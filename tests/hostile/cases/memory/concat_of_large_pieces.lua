-- One table of the same piece a thousand times.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local t, piece = {}, ("x"):rep(1 << 20)
for i = 1, 1000 do t[i] = piece end
print(pcall(table.concat, t))
