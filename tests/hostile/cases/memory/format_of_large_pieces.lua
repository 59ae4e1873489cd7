-- Formats that repeat a large argument.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local piece = ("x"):rep(1 << 22)
print(pcall(string.format, ("%s"):rep(50), table.unpack((function() local t = {} for i = 1, 50 do t[i] = piece end return t end)())))
