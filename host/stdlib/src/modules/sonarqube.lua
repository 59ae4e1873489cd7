--- @module assay.sonarqube
--- @description SonarQube: quality gates, issues, hotspots, measures and projects.
--- @category development
--- @keywords sonarqube, sonar, quality, issues, coverage, measures
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.quality_gates:status(project, opts?) -> {status, conditions} | opts.branch, pullRequest
--- @quickref c.quality_gates:passed(project, opts?) -> bool | whether it is OK
--- @quickref c.issues:list(query?) -> {issues, paging} | a page: componentKeys, severities, p, ps
--- @quickref c.issues:all(query?) -> iterator | every one, page by page
--- @quickref c.hotspots:list(project, query?) -> {hotspots, paging} | a page
--- @quickref c.hotspots:all(project, query?) -> iterator | every one, page by page
--- @quickref c.measures:get(component, metrics) -> {metric = value} | such as { "coverage", "bugs" }
--- @quickref c.projects:list(query?) -> {components, paging} | a page
--- @quickref c.projects:all(query?) -> iterator | every one, page by page
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("sonarqube", url, opts)
  local function copy(query, more)
    local q = {}
    for key, value in pairs(query or {}) do q[key] = type(value) == "table" and table.concat(value, ",") or value end
    for key, value in pairs(more or {}) do q[key] = value end
    return q
  end
  local function paged(path, field)
    return function(query) return s.get(path, { query = query }) end, function(query)
      return coroutine.wrap(function()
        query.ps = query.ps or 500
        local page, seen = 1, 0
        repeat
          query.p = page
          local found = s.get(path, { query = query })
          for _, one in ipairs(found[field] or {}) do coroutine.yield(one) end
          seen, page = seen + #(found[field] or {}), page + 1
        until #(found[field] or {}) == 0 or seen >= (found.paging and found.paging.total or 0)
      end)
    end
  end
  local function status(project, o)
    return s.get("/api/qualitygates/project_status", { query = copy(o, { projectKey = project }) }).projectStatus
  end
  c.quality_gates = service.part({ status = status, passed = function(project, o) return status(project, o).status == "OK" end }, "status")
  local issues, all_issues = paged("/api/issues/search", "issues")
  c.issues = service.part { list = function(query) return issues(copy(query)) end, all = function(query) return all_issues(copy(query)) end }
  local hotspots, all_hotspots = paged("/api/hotspots/search", "hotspots")
  c.hotspots = service.part {
    list = function(project, query) return hotspots(copy(query, { projectKey = project })) end,
    all = function(project, query) return all_hotspots(copy(query, { projectKey = project })) end,
  }
  c.measures = service.part({
    get = function(component, metrics)
      local query = { component = component, metricKeys = type(metrics) == "table" and table.concat(metrics, ",") or metrics }
      local values = {}
      for _, one in ipairs(s.get("/api/measures/component", { query = query }).component.measures or {}) do
        values[one.metric] = tonumber(one.value) or one.value
      end
      return values
    end,
  }, "get")
  local projects, all_projects = paged("/api/projects/search", "components")
  c.projects = service.part { list = function(query) return projects(copy(query)) end, all = function(query) return all_projects(copy(query)) end }
  return c
end

return M
