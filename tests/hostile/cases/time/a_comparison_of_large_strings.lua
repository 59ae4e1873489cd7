-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local a, b = ("a"):rep(1 << 24), ("a"):rep(1 << 24) .. "b"
while true do if a == b then print("x") end if a < b then a, b = b, a end end
