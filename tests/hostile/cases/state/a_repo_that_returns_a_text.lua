-- What init.lua returns is a table.
-- ends: repo 3
-- message: init.lua must return a table of actions, got string
print("not reached")
---- actions/init.lua
return "actions"
