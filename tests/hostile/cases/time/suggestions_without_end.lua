-- A look for the nearest name among many names.
-- options: --max-cpu 1s
-- ends: limit 5
-- message: the script computed for *s, and may for 1s
while true do pcall(function() return actions.n["name_that_is_nearly_the_same_00000"] end) end
---- actions/init.lua
local n = {}
for i = 1, 2000 do n["name_that_is_nearly_the_same_" .. i + 10000] = define_action({ source = ".", executor = "native" }) end
return { n = n }
