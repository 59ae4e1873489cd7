-- Error values that hold all there is, caught and raised again.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local held = {}
while true do
  local ok, e = pcall(error, { held, ("x"):rep(10000) .. #held })
  held[#held + 1] = e
end
