-- `parallel` in `parallel` needs memory and no stack.
-- options: --max-memory 16MiB
-- ends: limit 5
-- message: the script needs more memory than the 16 MiB it may use (it asked for *)
local depth = 0
local function f() depth = depth + 1 return parallel(f) end
local ok, problem = pcall(f)
print(ok, #tostring(problem) < 400, depth > 50)
print(parallel(function() return 1 end))
