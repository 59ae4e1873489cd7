-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local function loop() while true do end end
local t = setmetatable({}, { __index = loop, __newindex = loop, __add = loop, __eq = loop, __lt = loop, __le = loop, __concat = loop, __len = loop,
  __call = loop, __unm = loop, __pairs = loop, __name = loop, __close = loop, __mode = loop })
parallel(function() return t.x end, function() t.x = 1 end, function() return #t end)
