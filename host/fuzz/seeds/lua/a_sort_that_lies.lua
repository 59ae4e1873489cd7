local t = {}
for i = 1, 2000 do t[i] = i % 7 end
local n = 0
print(pcall(table.sort, t, function() n = n + 1 return true end))
print(pcall(table.sort, t, function(a, b) n = n + 1 return n % 3 == 0 end) ~= nil)
print(pcall(table.sort, { 1, "x", {}, print }))
