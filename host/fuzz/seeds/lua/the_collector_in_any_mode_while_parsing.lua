local n = 0
local modes = { "collect", "step", "incremental", "generational", "stop", "restart", "count", "isrunning" }
local f, problem = load(function()
  n = n + 1
  if n > 2000 then return nil end
  for i, mode in ipairs(modes) do collectgarbage(mode) end
  collectgarbage("generational")
  collectgarbage("step", 100)
  return "do local a = 'a string that is long enough to be a string of its own " .. n .. "' a = nil end "
end)
print(type(f), problem, n)
for _, bad in ipairs { "x", "setpause", 5, {} } do print((pcall(collectgarbage, bad))) end
