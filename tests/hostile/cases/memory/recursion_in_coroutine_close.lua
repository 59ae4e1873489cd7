-- A coroutine that is closed by the closing of another, and so on.
-- ends: ok 0
-- output: true\ttrue\n
local function make(n)
  local co = coroutine.create(function()
    local x <close> = setmetatable({}, { __close = function() if n > 0 then coroutine.close(make(n - 1)) end end })
    coroutine.yield()
  end)
  coroutine.resume(co)
  return co
end
local ok, problem = pcall(function() return coroutine.close(make(10000)) end)
print(ok, problem)
