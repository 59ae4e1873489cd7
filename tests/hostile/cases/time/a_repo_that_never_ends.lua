-- Loading the repo has the same limits.
-- options: --max-cpu 200ms
-- ends: limit 3
-- message: the actions repo `actions` reached a limit while it loaded: the script computed for *s, and may for 200ms
print("not reached")
---- actions/init.lua
while true do pcall(function() while true do end end) end
