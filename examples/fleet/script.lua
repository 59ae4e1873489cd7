-- Which tenants are quiet, for how long, and what do they cost meanwhile?
local QUIET = 0.2 -- of the busiest hour

-- The longest run of hours below the threshold, round the clock.
local function quiet_period(points)
  local busiest = 0
  for _, point in ipairs(points) do busiest = math.max(busiest, point.value) end
  local best, run = { from = 0, hours = 0 }, 0
  for i = 0, 2 * #points - 1 do
    local point = points[i % #points + 1]
    run = point.value < busiest * QUIET and math.min(run + 1, #points) or 0
    if run > best.hours then best = { from = (i - run + 1) % #points, hours = run } end
  end
  return best
end

local function total(costs)
  local sum = 0
  for _, service in ipairs(keys(costs)) do sum = sum + costs[service] end
  return sum
end

local rows = {}
for _, tenant in ipairs(actions.fleet.tenants()) do
  local ok, profile = pcall(actions.fleet.profile, tenant.name)
  if ok then
    local quiet = quiet_period(profile.requests)
    rows[#rows + 1] = {
      tenant = tenant.name,
      tier = tenant.tier,
      cost = total(profile.costs),
      quiet = quiet,
      idle = total(profile.costs) * quiet.hours / 24,
      disk = profile.disk[#profile.disk].value,
    }
  else
    print("skipped " .. tenant.name .. ": " .. profile)
  end
end

table.sort(rows, function(a, b) return a.idle > b.idle end)
print(("%-10s %-7s %10s %12s %10s %8s"):format("tenant", "tier", "EUR", "quiet", "idle EUR", "disk GB"))
for _, row in ipairs(rows) do
  local from, to = row.quiet.from, (row.quiet.from + row.quiet.hours) % 24
  print(("%-10s %-7s %10.2f %6s %02d-%02d %9.2f %8.1f"):format(
    row.tenant, row.tier, row.cost, row.quiet.hours .. "h", from, to, row.idle, row.disk))
end

local worth = {}
for _, row in ipairs(rows) do
  if row.idle > 200 then worth[#worth + 1] = row.tenant end
end
print("worth scaling down at night: " .. table.concat(worth, ", "))

-- What the team has locked, a script cannot set.
print(select(2, pcall(actions.fleet.metrics, { tenant = "acme", resolution = "1s" })))
