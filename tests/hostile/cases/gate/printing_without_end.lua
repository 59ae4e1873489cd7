-- Output reaches its limit in the middle of a line.
-- options: --max-output 1KiB
-- ends: limit 5
-- message: the script printed more than the 1 KiB it may print (it was about to have printed 1.0 KiB)
-- output: éééééééééééééééééééééééééééééé\néééééééééééééééééééééééééééééé\néééééééééééééééééééééééééééééé\n*
local line = ("é"):rep(30)
while true do pcall(print, line) end
