-- A repo that nests too deep is an invalid repo.
-- options: --max-memory 32MiB
-- ends: limit 3
-- message: the actions repo `actions` reached a limit while it loaded: the script needs more memory than the 32 MiB it may use (it asked for *)
print("not reached")
---- actions/init.lua
local t = {}
for _ = 1, 300000 do t = { t } t = { x = t[1] } end
return t
