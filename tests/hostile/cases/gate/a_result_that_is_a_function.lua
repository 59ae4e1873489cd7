-- The same for a value that is not data.
-- ends: result 1
-- message: script.lua: the value that the script returned: $ is a function, which JSON cannot hold
return print
