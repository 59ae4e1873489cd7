-- While the repo loads there is nothing to call.
-- ends: repo 3
-- message: actions/init.lua:2: this action has no name: the table that init.lua returns does not hold it
print("not reached")
---- actions/init.lua
local a = define_action({ source = ".", executor = "native" })
a({})
return { a = a }
