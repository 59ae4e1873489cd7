-- The loser of a race that does not want to end.
-- options: --max-cpu 200ms
-- action: slow | sleep 1000
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
race(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) actions.t.slow({}) end, function() return 1 end)
print("not reached")
