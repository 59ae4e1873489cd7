-- One branch that never gives way.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
parallel(function() while true do end end, function() print("never") end)
