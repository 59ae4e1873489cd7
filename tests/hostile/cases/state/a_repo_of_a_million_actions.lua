-- A repo of a million actions reaches the limit on memory while it loads.
-- options: --max-memory 16MiB
-- ends: limit 3
-- message: the actions repo `actions` reached a limit while it loaded: the script needs more memory than the 16 MiB it may use (it asked for *)
print("not reached")
---- actions/init.lua
local t = {}
for i = 1, 1e6 do t["a" .. i] = define_action({ source = ".", executor = "native" }) end
return t
