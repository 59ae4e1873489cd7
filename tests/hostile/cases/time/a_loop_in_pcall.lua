-- No protected call catches a limit.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
while true do pcall(function() while true do end end) xpcall(function() while true do end end, print) print("caught") end
