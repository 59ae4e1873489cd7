--- @module assay.gcal
--- @description Google Calendar: events and calendars.
--- @category calendar
--- @keywords gcal, google, calendar, events, meetings
--- @env HOME
--- @quickref M.client(opts?) -> c | credentials_file, token_file, auth
--- @quickref c.events:list(opts?) -> [event] | a page: timeMin, timeMax, maxResults, q; opts.calendar, primary
--- @quickref c.events:all(opts?) -> iterator | every event that fits, page by page
--- @quickref c.events:get(id, opts?) -> event|nil | one of them
--- @quickref c.events:create(event, opts?) -> event | as the API describes it
--- @quickref c.events:update(id, event, opts?) -> event | in its place
--- @quickref c.events:delete(id, opts?) -> true | ends it
--- @quickref c.calendars:list() -> [calendar] | of the account
--- @quickref c.calendars:all() -> iterator | page by page
local service = require("assay.client")
local oauth2 = require("assay.oauth2")
local M = {}

function M.client(opts)
  opts = opts or {}
  local auth = opts.auth or oauth2.from_file(opts.credentials_file, opts.token_file, { token_url = opts.token_url })
  local c, s = service.new("gcal", opts.api_base or "https://www.googleapis.com/calendar/v3", opts, function() return {} end)
  oauth2.renewing(s, auth)
  local function at(o, ...) return service.path("calendars", o and o.calendar or "primary", "events", ...) end
  local function query(o)
    local q = {}
    for key, value in pairs(o or {}) do
      if key ~= "calendar" then q[key] = value end
    end
    return q
  end
  local function pages(path, q)
    return coroutine.wrap(function()
      repeat
        local page = s.get(path, { query = q })
        for _, one in ipairs(page.items or {}) do coroutine.yield(one) end
        q.pageToken = page.nextPageToken
      until not q.pageToken
    end)
  end
  c.events = service.part {
    list = function(o) return s.get(at(o), { query = query(o) }).items or {} end,
    all = function(o) return pages(at(o), query(o)) end,
    get = function(id, o) return s.get(at(o, id), { none = 404 }) end,
    create = function(event, o) return s.post(at(o), { body = event }) end,
    update = function(id, event, o) return s.put(at(o, id), { body = event }) end,
    delete = function(id, o)
      s.delete(at(o, id))
      return true
    end,
  }
  c.calendars = service.part {
    list = function() return s.get("/users/me/calendarList").items or {} end,
    all = function() return pages("/users/me/calendarList", {}) end,
  }
  service.flat(c, {
    event_get = { "events", "get" }, event_create = { "events", "create" }, event_update = { "events", "update" },
    event_delete = { "events", "delete" },
  })
  return c
end

return M
