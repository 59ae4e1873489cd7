--- @module assay.prometheus
--- @description Prometheus: queries, alerts, targets, rules, labels and series.
--- @category monitoring
--- @keywords prometheus, promql, metrics, monitoring, alerts, targets, rules, labels
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.queries:instant(promql) -> number|[{metric, value}] | one value, or a list of samples
--- @quickref c.queries:range(promql, start, end, step) -> [{metric, values}] | values over time
--- @quickref c.alerts:list() -> [alert] | alerts that are pending or firing
--- @quickref c.targets:list() -> {activeTargets, droppedTargets} | what is scraped
--- @quickref c.targets:metadata(opts?) -> [metadata] | metrics of targets
--- @quickref c.rules:list(opts?) -> [group] | rules; opts.type is "alert" or "record"
--- @quickref c.labels:values(name) -> [string] | values of a label
--- @quickref c.series:list(selectors) -> [labels] | series that match
--- @quickref c.config:reload() -> bool | reads the configuration again
local service = require("assay.client")
local M = {}

local function number(value) return tonumber(value) or value end

function M.client(url, opts)
  local c, s = service.new("prometheus", url, opts)
  local function data(method, path, how)
    how = how or {}
    how.ok = { 400, 422, 503 }
    local answer = s.request(method, path, how)
    if type(answer) ~= "table" or answer.status ~= "success" then
      error("prometheus: " .. tostring(type(answer) == "table" and answer.error or "the answer has no status"), 0)
    end
    return answer.data
  end
  -- A long query goes into the body.
  local function ask(path, params)
    local long = #params.query > 2000
    return data(long and "POST" or "GET", path, long and { form = params } or { query = params })
  end

  c.queries = service.part {
    instant = function(query)
      local found = ask("/api/v1/query", { query = query })
      if found.resultType == "scalar" or found.resultType == "string" then return number(found.result[2]) end
      if found.resultType == "matrix" then return found.result end
      local samples = {}
      for i, sample in ipairs(found.result) do
        samples[i] = { metric = sample.metric, value = number(sample.value[2]) }
      end
      if #samples == 1 then return samples[1].value end
      return samples
    end,
    range = function(query, from, to, step)
      return ask("/api/v1/query_range", { query = query, start = from, ["end"] = to, step = step }).result
    end,
  }
  c.alerts = service.part({ list = function() return data("GET", "/api/v1/alerts").alerts end }, "list")
  c.targets = service.part({
    list = function() return data("GET", "/api/v1/targets") end,
    metadata = function(o) return data("GET", "/api/v1/targets/metadata", { query = o }) end,
  }, "list")
  c.rules = service.part({ list = function(o) return data("GET", "/api/v1/rules", { query = o }).groups end }, "list")
  c.labels = service.part { values = function(name) return data("GET", service.path("api", "v1", "label", name, "values")) end }
  c.series = service.part({
    list = function(selectors)
      if type(selectors) == "string" then selectors = { selectors } end
      return data("GET", "/api/v1/series", { query = { ["match[]"] = selectors } })
    end,
  }, "list")
  c.config = service.part { reload = function() return s.answer("POST", "/-/reload", { ok = { 403, 500 } }).status == 200 end }
  service.flat(c, {
    query = { "queries", "instant" }, query_range = { "queries", "range" }, label_values = { "labels", "values" },
    targets_metadata = { "targets", "metadata" }, config_reload = { "config", "reload" }, reload = { "config", "reload" },
  })
  return c
end

service.functions(M, {
  query = { "queries", "instant" }, query_range = { "queries", "range" }, alerts = { "alerts", "list" }, targets = { "targets", "list" },
  rules = { "rules", "list" }, label_values = { "labels", "values" }, series = { "series", "list" }, reload = { "config", "reload" },
  config_reload = { "config", "reload" }, targets_metadata = { "targets", "metadata" },
})

return M
