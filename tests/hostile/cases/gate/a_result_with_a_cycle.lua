-- The same for a value that holds itself.
-- ends: result 1
-- message: script.lua: the value that the script returned: $.t contains itself
local t = {}
t.t = t
return t
