local M = {}

-- Every action of this namespace is a Python script in ../impl and reads the files in ../data.
local function script(name, fields)
  local definition = {
    source = "../impl",
    entrypoint = name .. ".py",
    executor = "native",
    timeout = "30s",
  }
  for key, value in pairs(fields or {}) do definition[key] = value end
  return define_action(definition)
end

M.tenants = script("tenants")
M.costs = script("costs", { defaults = { currency = "EUR" } })
M.metrics = script("metrics", { defaults = { metric = "requests" }, locked = { resolution = "1h" } })

-- A repo may compose its actions in plain Lua. Whatever this does passes the same gate, action by action.
function M.profile(tenant)
  local costs, metrics, disk = parallel(
    function() return M.costs({ tenant = tenant }) end,
    function() return M.metrics({ tenant = tenant }) end,
    function() return M.metrics({ tenant = tenant, metric = "disk_gb" }) end
  )
  return { tenant = tenant, costs = costs, requests = metrics.points, disk = disk.points }
end

return M
