-- Names of actions have letters, digits, `_` and `-`.
-- ends: repo 3
-- message: actions/init.lua:1: define_action: `../x` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them\nactions/init.lua:1: define_action: `a\u{1b}[2Jb` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them\nactions/init.lua:1: define_action: `` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them\nactions/init.lua:1: define_action: `a b` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them\nactions/init.lua:1: define_action: `x\u{0}y` is not a name for an action: use letters, digits, `_` and `-`, at most 200 of them
print("not reached")
---- actions/init.lua
local function action() return define_action({ source = ".", executor = "native" }) end
return { ["../x"] = action(), ["a\27[2Jb"] = action(), [""] = action(), ["a b"] = action(), ["x\0y"] = action() }
