local depth = 0
local function f() depth = depth + 1 table.sort({ 1, 2 }, function() race(f) return false end) end
local ok, problem = pcall(f)
print(ok, #tostring(problem) < 400, depth > 10)
print(race(function() return 1 end))
