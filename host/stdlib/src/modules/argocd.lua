--- @module assay.argocd
--- @description Argo CD: applications, projects, repositories, clusters and settings.
--- @category kubernetes
--- @keywords argocd, gitops, applications, sync, rollback, kubernetes
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.apps:list(opts?) -> [app] | project, selector
--- @quickref c.apps:get(name) -> app|nil | one application
--- @quickref c.apps:health(name) -> {status, sync, message} | how it is
--- @quickref c.apps:sync(name, opts?) -> app | revision, prune, dry_run, strategy
--- @quickref c.apps:refresh(name, opts?) -> app | type is "normal" or "hard"
--- @quickref c.apps:rollback(name, id) -> app | to an entry of the history
--- @quickref c.apps:resources(name) -> tree | what it consists of
--- @quickref c.apps:delete(name, opts?) -> nil | cascade, propagation_policy
--- @quickref c.apps:wait_healthy(name, seconds) -> true | asks every 2 s
--- @quickref c.apps:is_healthy(name) -> bool | whether it is Healthy
--- @quickref c.apps:is_synced(name) -> bool | whether it is synced
--- @quickref c.apps:manifests(name, opts?) -> {manifests} | opts.revision
--- @quickref c.apps:wait_synced(name, seconds?) -> true | asks again until it is
--- @quickref c.projects:list() -> [project] | every one
--- @quickref c.projects:get(name) -> project|nil | one of them
--- @quickref c.repositories:list() -> [repository] | every one
--- @quickref c.repositories:get(url) -> repository|nil | one of them
--- @quickref c.clusters:list() -> [cluster] | every one
--- @quickref c.clusters:get(server) -> cluster|nil | one of them
--- @quickref c.settings:get() -> settings | of the server
--- @quickref c:version() -> version | of the server
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  opts = opts or {}
  local c, s = service.new("argocd", url, opts, function(o) return { Authorization = o.token and "Bearer " .. o.token or nil } end)
  if not opts.token and opts.username then
    -- Argo CD reads no Basic: a user and a password are changed for a token, and again when that is no longer taken.
    function s.renew()
      local session = s.post("/api/v1/session", { auth = false, headers = opts.headers,
        body = { username = opts.username, password = opts.password } })
      return { Authorization = "Bearer " .. session.token }
    end
  end
  local function app(name, ...) return service.path("api", "v1", "applications", name, ...) end
  local function get(name) return s.get(app(name), { none = 404 }) end
  local function need(name)
    return get(name) or error("argocd: GET " .. app(name) .. ": 404: there is no application " .. name, 0)
  end
  local function health(name)
    local status = need(name).status or {}
    return { status = status.health and status.health.status, sync = status.sync and status.sync.status,
      message = status.health and status.health.message }
  end
  local function is_healthy(name) return health(name).status == "Healthy" end
  local function is_synced(name) return health(name).sync == "Synced" end
  c.apps = service.part({
    list = function(o)
      o = o or {}
      return s.get("/api/v1/applications", { query = { projects = o.project, selector = o.selector } }).items or {}
    end,
    get = get, health = health, is_healthy = is_healthy, is_synced = is_synced,
    sync = function(name, o)
      o = o or {}
      return s.post(app(name, "sync"), { body = { revision = o.revision, prune = o.prune, dryRun = o.dry_run, strategy = o.strategy } })
    end,
    refresh = function(name, o) return s.get(app(name), { query = { refresh = o and o.type or "normal" } }) end,
    rollback = function(name, id) return s.post(app(name, "rollback"), { body = { id = id } }) end,
    resources = function(name) return s.get(app(name, "resource-tree")) end,
    manifests = function(name, o) return s.get(app(name, "manifests"), { query = { revision = o and o.revision } }) end,
    delete = function(name, o)
      o = o or {}
      local cascade
      if o.cascade ~= nil then cascade = tostring(o.cascade) end
      s.delete(app(name), { query = { cascade = cascade, propagationPolicy = o.propagation_policy } })
    end,
    wait_healthy = function(name, seconds)
      return service.wait("argocd", name .. " not healthy", seconds or 60, 2, function() return is_healthy(name) end)
    end,
    wait_synced = function(name, seconds)
      return service.wait("argocd", name .. " not synced", seconds or 60, 2, function() return is_synced(name) end)
    end,
  }, "list")
  local function listed(what)
    return service.part({
      list = function() return s.get("/api/v1/" .. what).items or {} end,
      get = function(name) return s.get(service.path("api", "v1", what, name), { none = 404 }) end,
    }, "list")
  end
  c.projects, c.repositories, c.clusters = listed("projects"), listed("repositories"), listed("clusters")
  c.settings = service.part({ get = function() return s.get("/api/v1/settings") end }, "get")
  function c.version() return s.get("/api/version") end
  service.flat(c, {
    applications = { "apps", "list" }, application = { "apps", "get" }, app_health = { "apps", "health" }, sync = { "apps", "sync" },
    refresh = { "apps", "refresh" }, rollback = { "apps", "rollback" }, app_resources = { "apps", "resources" },
    app_manifests = { "apps", "manifests" }, delete_app = { "apps", "delete" }, project = { "projects", "get" },
    repository = { "repositories", "get" }, cluster = { "clusters", "get" }, is_healthy = { "apps", "is_healthy" },
    is_synced = { "apps", "is_synced" }, wait_healthy = { "apps", "wait_healthy" }, wait_synced = { "apps", "wait_synced" },
  })
  return c
end

return M
