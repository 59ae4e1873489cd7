-- Strings that are kept.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local kept = {}
while true do pcall(function() kept[#kept + 1] = ("x"):rep(100000) .. #kept end) end
