-- A repo that says the same again and again.
-- options: --max-cpu 500ms
-- ends: limit 3
-- message: the actions repo `actions` reached a limit while it loaded: the script computed for *s, and may for 500ms
print("not reached")
---- actions/init.lua
local d = { source = ".", executor = "native", defaults = {} }
for i = 1, 1000 do d.defaults["k" .. i] = ("x"):rep(100) end
while true do define_action(d) end
