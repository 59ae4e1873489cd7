--- @module assay.alertmanager
--- @description Alertmanager: alerts, groups, silences, receivers and status.
--- @category monitoring
--- @keywords alertmanager, alerts, silences, receivers, prometheus, monitoring
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.alerts:list(opts?) -> [alert] | active, silenced, inhibited, unprocessed, filter, receiver
--- @quickref c.alerts:post(alerts) -> true | sends alerts
--- @quickref c.alerts:groups(opts?) -> [group] | alerts by group
--- @quickref c.alerts:is_firing(name) -> bool | whether an alert of that name is active
--- @quickref c.alerts:active_count() -> number | how many are active
--- @quickref c.silences:list(opts?) -> [silence] | every silence
--- @quickref c.silences:get(id) -> silence|nil | one silence
--- @quickref c.silences:create(silence) -> {silenceID} | makes a silence
--- @quickref c.silences:delete(id) -> true | ends a silence
--- @quickref c.silences:silence_alert(name, hours, opts?) -> id | silences the alerts of a name
--- @quickref c.status:get() -> status | version, configuration and cluster
--- @quickref c.receivers:list() -> [receiver] | names of receivers
local service = require("assay.client")
local M = {}

-- RFC 3339, as the API wants times.
local function at(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) end
local function quoted(text) return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"' end

function M.client(url, opts)
  local c, s = service.new("alertmanager", url, opts)
  local function list(path, o) return s.get(path, { query = o }) end
  local function active(filter)
    return list("/api/v2/alerts", { active = true, silenced = false, inhibited = false, filter = filter })
  end
  c.alerts = service.part({
    list = function(o) return list("/api/v2/alerts", o) end,
    post = function(alerts)
      s.post("/api/v2/alerts", { body = json.array(alerts) })
      return true
    end,
    groups = function(o) return list("/api/v2/alerts/groups", o) end,
    is_firing = function(name) return #active("alertname=" .. quoted(name)) > 0 end,
    active_count = function() return #active(nil) end,
  }, "list")
  local function create(silence) return s.post("/api/v2/silences", { body = silence }) end
  c.silences = service.part({
    list = function(o) return list("/api/v2/silences", o) end,
    get = function(id) return s.get(service.path("api", "v2", "silence", id), { none = 404 }) end,
    create = create,
    delete = function(id)
      s.delete(service.path("api", "v2", "silence", id))
      return true
    end,
    silence_alert = function(name, hours, o)
      o = o or {}
      local now = time()
      return create({
        matchers = { { name = "alertname", value = name, isRegex = false, isEqual = true } },
        startsAt = at(now), endsAt = at(now + hours * 3600),
        createdBy = o.created_by or "kael", comment = o.comment or ("silenced for " .. hours .. " h"),
      }).silenceID
    end,
  }, "list")
  c.status = service.part({ get = function() return s.get("/api/v2/status") end }, "get")
  c.receivers = service.part({ list = function() return s.get("/api/v2/receivers") end }, "list")
  service.flat(c, {
    post_alerts = { "alerts", "post" }, alert_groups = { "alerts", "groups" }, is_firing = { "alerts", "is_firing" },
    active_count = { "alerts", "active_count" }, silence = { "silences", "get" }, create_silence = { "silences", "create" },
    delete_silence = { "silences", "delete" }, silence_alert = { "silences", "silence_alert" },
  })
  return c
end

service.functions(M, {
  alerts = { "alerts", "list" }, post_alerts = { "alerts", "post" }, alert_groups = { "alerts", "groups" },
  is_firing = { "alerts", "is_firing" }, active_count = { "alerts", "active_count" }, silences = { "silences", "list" },
  silence = { "silences", "get" }, create_silence = { "silences", "create" }, delete_silence = { "silences", "delete" },
  silence_alert = { "silences", "silence_alert" }, status = { "status", "get" }, receivers = { "receivers", "list" },
})

return M
