-- A loop of requires is named.
-- ends: repo 3
-- message: actions/b.lua:1: loop of requires: a -> b -> a
print("not reached")
---- actions/init.lua
return require("a")
---- actions/a.lua
return require("b")
---- actions/b.lua
return require("a")
