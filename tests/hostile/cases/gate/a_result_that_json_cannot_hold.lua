-- A script's own result is checked like parameters are.
-- ends: result 1
-- message: script.lua: the value that the script returned: $.a[2] is NaN, which JSON cannot hold
return { a = { 1, 0/0 } }
