-- Computing while actions are in flight.
-- options: --max-cpu 300ms
-- action: slow | sleep 1000
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
parallel(function() actions.t.slow({}) end, function() while true do end end)
