local M = {}

-- Python scripts in ../impl that read the files in ../data.
local function script(name, fields)
  local definition = {
    source = "../impl",
    entrypoint = name .. ".py",
    executor = "native",
    effects = "none",
    reads = { "../data" },
    timeout = "30s",
  }
  for key, value in pairs(fields or {}) do definition[key] = value end
  return define_action(definition)
end

-- WebAssembly, built from ../tenants: it runs in Kael itself, and sees the one folder that it is given.
M.tenants = define_action({
  source = "../impl",
  entrypoint = "tenants.wasm",
  executor = "wasm",
  effects = "none",
  dirs = { ["/data"] = { path = "../data", mode = "read" } },
  timeout = "5s",
})
M.costs = script("costs", { defaults = { currency = "EUR" } })
M.scale = script("scale", { effects = "idempotent", params = { tenant = "string", replicas = "integer" } })
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
