-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local t = setmetatable({}, { __len = function(t) return #t end })
while true do pcall(function() return #t end) end
