-- A stopped collector does not save garbage from being collected when memory runs out.
-- options: --max-memory 32MiB
-- ends: ok 0
-- output: on\n
collectgarbage("stop")
local piece = ("x"):rep(1000)
for i = 1, 3000 do local s = piece:rep(100) .. i end
print("on")
