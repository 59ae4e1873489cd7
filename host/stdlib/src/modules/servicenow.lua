--- @module assay.servicenow
--- @description ServiceNow: records of tables, and instances of the CMDB.
--- @category operations
--- @keywords servicenow, incidents, changes, cmdb, tickets, itsm
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.table:list(name, query?) -> [record] | a page: sysparm_query, sysparm_fields, sysparm_limit
--- @quickref c.table:all(name, query?) -> iterator | every one, page by page
--- @quickref c.table:get(name, id) -> record|nil | one of them
--- @quickref c.table:create(name, fields) -> record | makes one
--- @quickref c.table:update(name, id, fields) -> record | these fields alone
--- @quickref c.cmdb:list(class, query?) -> [instance] | of a class
--- @quickref c.cmdb:get(class, id) -> instance|nil | with its relations
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("servicenow", url, opts)
  local function at(...) return service.path("api", "now", ...) end
  local function result(answer) return answer and answer.result end
  c.table = service.part {
    list = function(name, query) return result(s.get(at("table", name), { query = query })) or {} end,
    -- By offset: the links of ServiceNow name the address that it has for itself.
    all = function(name, query)
      return coroutine.wrap(function()
        local q = { sysparm_limit = 1000 }
        for key, value in pairs(query or {}) do q[key] = value end
        local limit = math.tointeger(tonumber(q.sysparm_limit))
        if not limit or limit < 1 then error("servicenow: `sysparm_limit` must be a number from 1", 0) end
        q.sysparm_offset = 0
        while true do
          local answer, got = s.get(at("table", name), { query = q })
          local page, total = result(answer) or {}, got and tonumber(got.headers["x-total-count"])
          for _, one in ipairs(page) do coroutine.yield(one) end
          -- A page lacks the records that the user may not see: one that is short is not the last one.
          q.sysparm_offset = q.sysparm_offset + limit
          if total and q.sysparm_offset >= total or not total and #page == 0 then return end
        end
      end)
    end,
    get = function(name, id) return result(s.get(at("table", name, id), { none = 404 })) end,
    create = function(name, fields) return result(s.post(at("table", name), { body = fields })) end,
    update = function(name, id, fields) return result(s.patch(at("table", name, id), { body = fields })) end,
  }
  c.cmdb = service.part {
    list = function(class, query) return result(s.get(at("cmdb", "instance", class), { query = query })) or {} end,
    get = function(class, id) return result(s.get(at("cmdb", "instance", class, id), { none = 404 })) end,
  }
  return c
end

return M
