-- Ephemerons that keep each other, collected again and again.
-- options: --max-memory 8MiB --max-cpu 15s
-- ends: limit 5
-- message: the script needs more memory than the 8 MiB it may use (it asked for *)
local weak = setmetatable({}, { __mode = "k" })
local key = {}
local first = key
while true do local nextkey = {} weak[key] = nextkey key = nextkey end
