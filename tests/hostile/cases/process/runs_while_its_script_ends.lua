-- A script that fails ends its running actions.
-- action: slow | trap '' TERM; setsid sleep 1000 & sleep 1000
-- ends: script 1
-- message: script.lua:5: attempt to perform arithmetic on a nil value
race(function() actions.t.slow({}) end, function() actions.t.slow({}) end, function() local x = nil + 1 end)
