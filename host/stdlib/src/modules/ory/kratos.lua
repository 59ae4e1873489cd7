--- @module assay.ory.kratos
--- @description Ory Kratos: sessions, self-service flows, identities and schemas.
--- @category security
--- @keywords ory, kratos, identity, sessions, login, registration
--- @quickref M.client(opts) -> c | public_url, admin_url; also token, for a proxy before the admin API
--- @quickref c.sessions:whoami(cookie_or_token) -> session|nil | nil where it is not valid; a token has no `=`
--- @quickref c.sessions:list(identity) -> [session] | of an identity
--- @quickref c.sessions:revoke(identity) -> true | all of an identity
--- @quickref c.flows:create_login(opts?) -> flow | return_to, refresh, login_challenge, aal, cookie; api = true for no browser
--- @quickref c.flows:create_registration(opts?) -> flow | the same
--- @quickref c.flows:create_recovery(opts?) -> flow | the same
--- @quickref c.flows:create_settings(cookie, opts?) -> flow | of who is logged in
--- @quickref c.flows:get_login(id, cookie?) -> flow | as it is now
--- @quickref c.flows:get_registration(id, cookie?) -> flow | as it is now
--- @quickref c.flows:get_recovery(id, cookie?) -> flow | as it is now
--- @quickref c.flows:get_settings(id, cookie?) -> flow | as it is now
--- @quickref c.flows:submit_login(id, payload, cookie?) -> answer, status | 400 is the flow with messages, 422 a redirect
--- @quickref c.flows:submit_registration(id, payload, cookie?) -> answer, status | the same
--- @quickref c.flows:submit_recovery(id, payload, cookie?) -> answer, status | the same
--- @quickref c.flows:submit_settings(id, payload, cookie?) -> answer, status | the same
--- @quickref c.identities:list(opts?) -> [identity] | a page: per_page, page, page_token, credentials_identifier
--- @quickref c.identities:all(opts?) -> iterator | every identity, page by page
--- @quickref c.identities:get(id) -> identity|nil | one of them
--- @quickref c.identities:create(identity) -> identity | schema_id, traits
--- @quickref c.identities:update(id, identity) -> identity | in its place
--- @quickref c.identities:delete(id) -> true | with its sessions
--- @quickref c.schemas:list() -> [schema] | of identities
--- @quickref c.schemas:get(id) -> schema|nil | one of them
local service = require("assay.client")
local M = {}

local KINDS <const> = { "login", "registration", "recovery", "settings" }

function M.client(opts)
  opts = opts or {}
  local c = {}
  -- Kratos redirects whoever does not ask for JSON to its pages.
  local function sender(url, what)
    if not url then
      return setmetatable({}, { __index = function() error("kratos: " .. what .. " is missing", 4) end })
    end
    local _, s = service.new("kratos", url, { token = opts.token, headers = { Accept = "application/json" }, timeout = opts.timeout })
    return s
  end
  local public, admin = sender(opts.public_url, "public_url"), sender(opts.admin_url, "admin_url")
  local function with(cookie, how)
    how = how or {}
    if cookie then how.headers = { Cookie = cookie } end
    return how
  end
  local function sessions(id) return service.path("admin", "identities", id, "sessions") end
  c.sessions = service.part({
    whoami = function(credential)
      local is_cookie = tostring(credential):find("=", 1, true) ~= nil
      local headers = is_cookie and { Cookie = credential } or { ["X-Session-Token"] = credential }
      return public.get("/sessions/whoami", { headers = headers, none = 401 })
    end,
    list = function(id) return admin.get(sessions(id)) or {} end,
    revoke = function(id)
      admin.delete(sessions(id))
      return true
    end,
  })
  local flows = {}
  for _, kind in ipairs(KINDS) do
    local function create(o)
      local way = o and o.api and "api" or "browser"
      local query = {}
      for key, value in pairs(o or {}) do
        if key ~= "api" and key ~= "cookie" then query[key] = value end
      end
      return public.get("/self-service/" .. kind .. "/" .. way, with(o and o.cookie, { query = query }))
    end
    flows["create_" .. kind] = create
    if kind == "settings" then
      function flows.create_settings(cookie, o)
        local all = { cookie = cookie }
        for key, value in pairs(o or {}) do all[key] = value end
        return create(all)
      end
    end
    flows["get_" .. kind] = function(id, cookie)
      return public.get("/self-service/" .. kind .. "/flows", with(cookie, { query = { id = id } }))
    end
    flows["submit_" .. kind] = function(id, payload, cookie)
      local value, answer = public.post("/self-service/" .. kind, with(cookie, { query = { flow = id }, body = payload, ok = { 400, 422 } }))
      return value, answer and answer.status or 204
    end
  end
  c.flows = service.part(flows)
  local function query(o)
    local q = {}
    for key, value in pairs(o or {}) do q[key] = value end
    return { query = q }
  end
  local function identity(id) return service.path("admin", "identities", id) end
  c.identities = service.part({
    list = function(o) return admin.get("/admin/identities", query(o)) or {} end,
    all = function(o)
      local q = query(o)
      q.query.page_size = q.query.page_size or q.query.per_page or 250
      q.query.per_page = nil
      return admin.all("/admin/identities", q)
    end,
    get = function(id) return admin.get(identity(id), { none = 404 }) end,
    create = function(body) return admin.post("/admin/identities", { body = body }) end,
    update = function(id, body) return admin.put(identity(id), { body = body }) end,
    delete = function(id)
      admin.delete(identity(id))
      return true
    end,
  })
  c.schemas = service.part({
    list = function() return public.get("/schemas") or {} end,
    get = function(id) return public.get(service.path("schemas", id), { none = 404 }) end,
  })
  local flat = { whoami = { "sessions", "whoami" }, get_identity = { "identities", "get" }, list_identities = { "identities", "list" },
    create_identity = { "identities", "create" }, update_identity = { "identities", "update" }, delete_identity = { "identities", "delete" },
    list_sessions = { "sessions", "list" }, delete_sessions = { "sessions", "revoke" }, list_schemas = { "schemas", "list" },
    get_schema = { "schemas", "get" } }
  for _, kind in ipairs(KINDS) do
    for _, verb in ipairs { "create", "get", "submit" } do flat[verb .. "_" .. kind .. "_flow"] = { "flows", verb .. "_" .. kind } end
  end
  service.flat(c, flat)
  return c
end

return M
