-- The walk of the tree asks no metamethod; the script that does pays for it.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local x = actions.anything
---- actions/init.lua
return setmetatable({}, { __index = function() while true do end end, __pairs = function() while true do end end })
