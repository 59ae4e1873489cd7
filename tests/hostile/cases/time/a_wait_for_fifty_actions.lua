-- The same for fifty actions, most of which wait for a permit.
-- options: --timeout 1s --max-parallel 10
-- action: slow | trap '' TERM; sleep 1000 & setsid sleep 1000 & wait
-- ends: limit 5
-- message: the run took longer than the 1s it may take (it was ended after *s)
local fs = {}
for i = 1, 50 do fs[i] = function() pcall(actions.t.slow, {}) end end
parallel(fs)
