-- `require` works without the global `package`.
-- ends: ok 0
-- output: module\tfalse\tmodule 'none' not found:\n\tno field package.preload['none']\n\tno file 'none.lua' in the actions repo\n\tno file 'none/init.lua' in the actions repo\nmodule\n
package.loaded, package.preload = nil, 5
print(require("m"), pcall(require, "none"))
package = nil
print(require("m"))
---- actions/init.lua
return {}
---- actions/m.lua
return "module"
