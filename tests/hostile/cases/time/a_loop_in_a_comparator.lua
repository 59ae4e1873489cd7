-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
table.sort({ 1, 2, 3 }, function() while true do end end)
