--- @module assay.harbor
--- @description Harbor: projects, repositories, artifacts, scans and replication.
--- @category registry
--- @keywords harbor, registry, images, artifacts, vulnerabilities, replication
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.system:health() -> health | of every part
--- @quickref c.system:info() -> info | version and settings
--- @quickref c.system:is_healthy() -> bool | whether every part is
--- @quickref c.system:statistics() -> statistics | how many there are
--- @quickref c.projects:list(opts?) -> [project] | every one
--- @quickref c.projects:all(opts?) -> iterator | every one, page by page
--- @quickref c.projects:get(name) -> project|nil | one of them
--- @quickref c.repositories:list(project, opts?) -> [repository] | every one
--- @quickref c.repositories:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.repositories:get(project, name) -> repository|nil | one of them
--- @quickref c.artifacts:list(project, repo, opts?) -> [artifact] | every one
--- @quickref c.artifacts:all(project, repo, opts?) -> iterator | every one, page by page
--- @quickref c.artifacts:exists(project, repo, tag) -> bool | whether it is there
--- @quickref c.artifacts:get(project, repo, ref) -> artifact|nil | by tag or digest
--- @quickref c.artifacts:latest(project, repo) -> artifact|nil | pushed last
--- @quickref c.artifacts:tags(project, repo, ref) -> [tag] | of an artifact
--- @quickref c.scan:trigger(project, repo, ref) -> true | begins a scan
--- @quickref c.scan:vulnerabilities(project, repo, ref) -> {total, fixable, critical, high, medium, low, negligible}|nil | what the last scan found
--- @quickref c.replication:policies() -> [policy] | every one
--- @quickref c.replication:executions(opts?) -> [execution] | opts.policy_id
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("harbor", url, opts)
  local function api(...) return "/api/v2.0" .. service.path(...) end
  -- A `/` of a repository's name is encoded twice.
  local function repo(project, name, ...)
    return api("projects", project, "repositories", service.segment(name), ...)
  end
  local function query(o) return { query = o } end
  local function health() return s.get(api("health"), { auth = false }) end
  c.system = service.part {
    health = health,
    info = function() return s.get(api("systeminfo")) end,
    statistics = function() return s.get(api("statistics")) end,
    is_healthy = function()
      for _, component in ipairs(health().components or {}) do
        if component.status ~= "healthy" then return false end
      end
      return true
    end,
  }
  c.projects = service.part({
    list = function(o) return s.get(api("projects"), query(o)) end,
    all = function(o) return s.all(api("projects"), query(o)) end,
    get = function(name) return s.get(api("projects", name), { none = 404 }) end,
  }, "list")
  c.repositories = service.part({
    list = function(project, o) return s.get(api("projects", project, "repositories"), query(o)) end,
    all = function(project, o) return s.all(api("projects", project, "repositories"), query(o)) end,
    get = function(project, name) return s.get(repo(project, name), { none = 404 }) end,
  }, "list")
  local function artifact(project, name, ref, how)
    how = how or {}
    how.none = 404
    return s.get(repo(project, name, "artifacts", ref), how)
  end
  c.artifacts = service.part({
    list = function(project, name, o) return s.get(repo(project, name, "artifacts"), query(o)) end,
    all = function(project, name, o) return s.all(repo(project, name, "artifacts"), query(o)) end,
    get = artifact,
    tags = function(project, name, ref) return s.get(repo(project, name, "artifacts", ref, "tags")) end,
    exists = function(project, name, tag) return artifact(project, name, tag) ~= nil end,
    latest = function(project, name)
      return s.get(repo(project, name, "artifacts"), query({ page = 1, page_size = 1, sort = "-push_time", with_tag = true }))[1]
    end,
  }, "list")
  c.scan = service.part {
    trigger = function(project, name, ref)
      s.answer("POST", repo(project, name, "artifacts", ref, "scan"))
      return true
    end,
    vulnerabilities = function(project, name, ref)
      local found = artifact(project, name, ref, query({ with_scan_overview = true }))
      local _, overview = next(found and found.scan_overview or {})
      if not overview then return nil end
      local counts = overview.summary or {}
      local by = counts.summary or {}
      return { total = counts.total or 0, fixable = counts.fixable or 0, critical = by.Critical or 0, high = by.High or 0,
        medium = by.Medium or 0, low = by.Low or 0, negligible = by.Negligible or 0 }
    end,
  }
  c.replication = service.part {
    policies = function() return s.get(api("replication", "policies")) end,
    executions = function(o) return s.get(api("replication", "executions"), query(o)) end,
  }
  service.flat(c, {
    health = { "system", "health" }, system_info = { "system", "info" }, statistics = { "system", "statistics" },
    is_healthy = { "system", "is_healthy" }, project = { "projects", "get" }, repository = { "repositories", "get" },
    artifact = { "artifacts", "get" }, artifact_tags = { "artifacts", "tags" }, image_exists = { "artifacts", "exists" },
    latest_artifact = { "artifacts", "latest" }, scan_artifact = { "scan", "trigger" },
    artifact_vulnerabilities = { "scan", "vulnerabilities" }, replication_policies = { "replication", "policies" },
    replication_executions = { "replication", "executions" },
  })
  return c
end

return M
