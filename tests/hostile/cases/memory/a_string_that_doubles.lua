-- Doubles a string, and catches the error.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local s = "x"
while true do pcall(function() s = s .. s end) end
