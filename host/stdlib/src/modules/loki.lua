--- @module assay.loki
--- @description Loki: sends log lines, and queries them with LogQL.
--- @category monitoring
--- @keywords loki, logs, logql, labels, monitoring
--- @quickref M.client(url, opts?) -> c | tenant, token, or username and password
--- @quickref c.logs:push(labels, entries) -> true | entries are texts, or {nanoseconds, text}
--- @quickref c.queries:instant(logql, opts?) -> [stream|sample] | limit, time, direction
--- @quickref c.queries:range(logql, opts?) -> [stream|series] | start, end_time, limit, step, direction
--- @quickref c.queries:tail(logql, on_streams, opts?) -> nil | calls a function with lists of new streams until it returns "close"; limit, start, delay_for
--- @quickref c.labels:list(opts?) -> [string] | names of labels
--- @quickref c.labels:values(name, opts?) -> [string] | values of a label
--- @quickref c.series:list(selectors, opts?) -> [labels] | series that match
--- @quickref c.health:ready() -> bool | whether it takes requests
--- @quickref c.health:metrics() -> string | its own metrics
--- @quickref M.selector(labels) -> string | {app="x"} of a table, sorted
local service = require("assay.client")
local M = {}

--- { app = "x" } as `{app="x"}`, sorted.
function M.selector(labels)
  local parts = {}
  for _, name in ipairs(keys(labels)) do
    parts[#parts + 1] = name .. '="' .. tostring(labels[name]):gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function headers_of(o)
  local headers = {}
  if o.tenant then headers["X-Scope-OrgID"] = o.tenant end
  if o.token or o.api_key then headers.Authorization = "Bearer " .. (o.token or o.api_key) end
  if o.username then headers.Authorization = "Basic " .. base64.encode(o.username .. ":" .. (o.password or "")) end
  return headers
end

function M.client(url, opts)
  local c, s = service.new("loki", url, opts, headers_of)
  local function span(o, more)
    local query = more or {}
    for key, value in pairs(o or {}) do query[key == "end_time" and "end" or key] = value end
    return query
  end
  c.logs = service.part {
    push = function(labels, entries)
      if type(entries) == "string" then entries = { entries } end
      local now, values = math.floor(time() * 1000) * 1000000, {}
      for i, entry in ipairs(entries) do
        -- Entries without a time keep their order: each is a nanosecond later.
        if type(entry) == "table" then
          local at = entry[1]
          values[i] = { math.type(at) == "integer" and ("%d"):format(at) or tostring(at), entry[2] }
        else
          values[i] = { ("%d"):format(now + i - 1), entry }
        end
      end
      s.post("/loki/api/v1/push", { body = { streams = { { stream = labels, values = values } } } })
      return true
    end,
  }
  c.queries = service.part {
    instant = function(query, o) return s.get("/loki/api/v1/query", { query = span(o, { query = query }) }).data.result end,
    -- Without a `token` of its own, headers come from the grant (`to: ["wss://…"]`).
    tail = function(query, on_streams, o)
      if type(on_streams) ~= "function" then error("loki: tail: expected a function for the streams, got " .. type(on_streams), 2) end
      local ws = require("assay.ws")
      local address, headers = c.url:gsub("^http", "ws", 1), headers_of(opts or {})
      for name, value in pairs(opts and opts.headers or {}) do headers[name] = value end
      local connection = ws.connect(address .. "/loki/api/v1/tail?" .. http.form(span(o, { query = query })), { headers = headers })
      local closing <close> = setmetatable({}, { __close = function() connection:close() end })
      repeat
        local got = json.decode((connection:recv()))
        if got.dropped_entries and #got.dropped_entries > 0 then log.warn("loki: tail has lost entries", { count = #got.dropped_entries }) end
      until on_streams(got.streams or {}) == "close"
    end,
    range = function(query, o) return s.get("/loki/api/v1/query_range", { query = span(o, { query = query }) }).data.result end,
  }
  c.labels = service.part({
    list = function(o) return s.get("/loki/api/v1/labels", { query = span(o) }).data end,
    values = function(name, o) return s.get(service.path("loki", "api", "v1", "label", name, "values"), { query = span(o) }).data end,
  }, "list")
  c.series = service.part({
    list = function(selectors, o)
      if type(selectors) == "string" then selectors = { selectors } end
      return s.get("/loki/api/v1/series", { query = span(o, { ["match[]"] = selectors }) }).data
    end,
  }, "list")
  c.health = service.part({
    ready = function() return s.answer("GET", "/ready", { ok = { 500, 503 } }).status == 200 end,
    metrics = function() return s.get("/metrics", { text = true }) end,
  }, "ready")
  service.flat(c, {
    push = { "logs", "push" }, query = { "queries", "instant" }, query_range = { "queries", "range" }, tail = { "queries", "tail" },
    label_values = { "labels", "values" }, ready = { "health", "ready" }, metrics = { "health", "metrics" },
  })
  return c
end

return M
