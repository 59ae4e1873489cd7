-- define_action reads the raw table, and not its metatable.
-- ends: repo 3
-- message: actions/init.lua:1: define_action: field 'source' is missing\nactions/init.lua:1: define_action: field 'executor' is missing
print("not reached")
---- actions/init.lua
return { a = define_action(setmetatable({}, { __index = function(_, key) return ({ source = ".", executor = "native" })[key] end })) }
