-- The same for what is no data.
-- ends: result 1
-- message: script.lua: the value that the script returned: $ is a function, which JSON cannot hold
return print
