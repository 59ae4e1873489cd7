-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
xpcall(error, function() while true do end end)
print("not reached")
