-- Waiting that nothing ends, alone and in a thousand branches.
-- options: --timeout 1s
-- ends: limit 5
-- message: the run took longer than the 1s it may take (it was ended after *s)
local fs = {}
for i = 1, 1000 do fs[i] = function() pcall(sleep, 1e9) end end
parallel(fs)
