-- A text that a reader never ends.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local first = true
print(pcall(load, function() if first then first = false return "return '" end return ("x"):rep(100000) end))
