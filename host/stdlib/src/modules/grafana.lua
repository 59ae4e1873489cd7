--- @module assay.grafana
--- @description Grafana: health, data sources, dashboards, annotations, alert rules and folders.
--- @category monitoring
--- @keywords grafana, dashboards, datasources, annotations, alerts, folders
--- @quickref M.client(url, opts?) -> c | api_key, or username and password
--- @quickref c.health:check() -> {database, version} | without a token
--- @quickref c.datasources:list() -> [datasource] | every one
--- @quickref c.datasources:get(id_or_uid) -> datasource|nil | by number or uid
--- @quickref c.dashboards:search(opts?) -> [hit] | query, type, tag, limit
--- @quickref c.dashboards:get(uid) -> {dashboard, meta}|nil | by its uid
--- @quickref c.annotations:list(opts?) -> [annotation] | from, to, dashboard_id, limit, tags
--- @quickref c.annotations:create(annotation) -> {id, message} | makes one
--- @quickref c.org:get() -> org | whose token it is
--- @quickref c.alerts:rules() -> [rule] | every one
--- @quickref c.folders:list() -> [folder] | every one
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
