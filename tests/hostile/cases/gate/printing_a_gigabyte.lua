-- A print that is larger than the limit by itself.
-- options: --max-output 64KiB
-- ends: limit 5
-- message: the script printed more than the 64 KiB it may print (it was about to have printed 976.6 KiB)
-- output: x*x
local piece = ("x"):rep(1000):rep(1000)
for i = 1, 1000 do print(piece) end
