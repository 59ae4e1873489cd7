--- @module assay.grafana
--- @description Grafana: health, data sources, dashboards, annotations, alert rules and folders.
--- @category monitoring
--- @keywords grafana, dashboards, datasources, annotations, alerts, folders
--- @quickref c.health:check() -> {database, version} | also c:health()
--- @quickref c.datasources:list() -> [datasource] | also c:datasources()
--- @quickref c.datasources:get(id_or_uid) -> datasource|nil | also c:datasource(id_or_uid)
--- @quickref c.dashboards:search(opts?) -> [hit] | query, type, tag, limit; also c:search(opts)
--- @quickref c.dashboards:get(uid) -> {dashboard, meta}|nil | also c:dashboard(uid)
--- @quickref c.annotations:list(opts?) -> [annotation] | from, to, dashboard_id, limit, tags; also c:annotations(opts)
--- @quickref c.annotations:create(annotation) -> {id, message} | also c:create_annotation(annotation)
--- @quickref c.org:get() -> org | also c:org()
--- @quickref c.alerts:rules() -> [rule] | also c:alert_rules()
--- @quickref c.folders:list() -> [folder] | also c:folders()
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("grafana", url, opts)
  c.health = service.part({ check = function() return s.get("/api/health", { auth = false }) end }, "check")
  c.datasources = service.part({
    list = function() return s.get("/api/datasources") end,
    get = function(id)
      if type(id) == "number" then return s.get(service.path("api", "datasources", id), { none = 404 }) end
      return s.get(service.path("api", "datasources", "uid", id), { none = 404 })
    end,
  }, "list")
  c.dashboards = service.part({
    search = function(o) return s.get("/api/search", { query = o }) end,
    get = function(uid) return s.get(service.path("api", "dashboards", "uid", uid), { none = 404 }) end,
  }, "search")
  c.annotations = service.part({
    list = function(o)
      local query = {}
      for key, value in pairs(o or {}) do query[key == "dashboard_id" and "dashboardId" or key] = value end
      return s.get("/api/annotations", { query = query })
    end,
    create = function(annotation) return s.post("/api/annotations", { body = annotation }) end,
  }, "list")
  c.org = service.part({ get = function() return s.get("/api/org") end }, "get")
  c.alerts = service.part({ rules = function() return s.get("/api/v1/provisioning/alert-rules") end }, "rules")
  c.folders = service.part({ list = function() return s.get("/api/folders") end }, "list")
  service.flat(c, {
    datasource = { "datasources", "get" }, search = { "dashboards", "search" }, dashboard = { "dashboards", "get" },
    create_annotation = { "annotations", "create" }, alert_rules = { "alerts", "rules" },
  })
  return c
end

return M
