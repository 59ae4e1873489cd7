--- @module assay.ory.hydra
--- @description Ory Hydra: OAuth 2 clients, tokens, and requests for login, consent and logout.
--- @category security
--- @keywords ory, hydra, oauth2, oidc, consent, login, tokens
--- @quickref M.client(opts) -> c | public_url, admin_url; also token, for a proxy before the admin API
--- @quickref c.clients:list(opts?) -> [client] | a page: page_size, page_token
--- @quickref c.clients:all(opts?) -> iterator | every client, page by page
--- @quickref c.clients:get(id) -> client|nil | one of them
--- @quickref c.clients:create(client) -> client | with its secret
--- @quickref c.clients:update(id, client) -> client | in its place
--- @quickref c.clients:delete(id) -> true | with its tokens
--- @quickref c.oauth2:authorize_url(client_id, opts) -> string | redirect_uri, scope, response_type, state, nonce, extra
--- @quickref c.oauth2:exchange_code(opts) -> token | code, redirect_uri, client_id, client_secret
--- @quickref c.oauth2:refresh_token(client_id, client_secret, token) -> token | a new one
--- @quickref c.oauth2:introspect(token) -> {active} | what a token is
--- @quickref c.oauth2:revoke_token(client_id, client_secret, token) -> true | ends it
--- @quickref c.login:get(challenge) -> request | who wants to log in where
--- @quickref c.login:accept(challenge, subject, opts?) -> {redirect_to} | remember, remember_for, acr, amr, context
--- @quickref c.login:reject(challenge, error?) -> {redirect_to} | error, error_description
--- @quickref c.consent:get(challenge) -> request | what is asked for
--- @quickref c.consent:accept(challenge, opts?) -> {redirect_to} | grant_scope, grant_access_token_audience, session, remember
--- @quickref c.consent:reject(challenge, error?) -> {redirect_to} | error, error_description
--- @quickref c.logout:get(challenge) -> request | who wants to log out
--- @quickref c.logout:accept(challenge) -> {redirect_to} | ends the session
--- @quickref c.logout:reject(challenge) -> true | goes on with the session
--- @quickref c.discovery:openid_config() -> document | of OpenID Connect
--- @quickref c.discovery:jwks() -> {keys} | that sign tokens
local service = require("assay.client")
local M = {}

-- A list stays a list of JSON, also when it is empty.
local function lists(body, names)
  for _, name in ipairs(names) do
    local value = body[name]
    if type(value) == "string" then value = { value } end
    if type(value) == "table" then body[name] = json.array(value) end
  end
  return body
end

function M.client(opts)
  opts = opts or {}
  local c = {}
  local function sender(url, what, token)
    if not url then
      return setmetatable({}, { __index = function() error("hydra: " .. what .. " is missing", 4) end })
    end
    local _, s = service.new("hydra", url, { token = token, headers = { Accept = "application/json" }, timeout = opts.timeout })
    return s
  end
  local public, admin = sender(opts.public_url, "public_url"), sender(opts.admin_url, "admin_url", opts.token)
  local function client(id) return service.path("admin", "clients", id) end
  c.clients = service.part({
    list = function(o) return admin.get("/admin/clients", { query = o }) or {} end,
    all = function(o)
      local query = { page_size = 250 }
      for key, value in pairs(o or {}) do query[key] = value end
      return admin.all("/admin/clients", { query = query })
    end,
    get = function(id) return admin.get(client(id), { none = 404 }) end,
    create = function(body) return admin.post("/admin/clients", { body = body }) end,
    update = function(id, body)
      local all = { client_id = id }
      for key, value in pairs(body) do all[key] = value end
      all.client_id = id
      return admin.put(client(id), { body = all })
    end,
    delete = function(id)
      admin.delete(client(id))
      return true
    end,
  })
  -- As a client itself asks: its name and secret as Basic, each encoded as a form is.
  local function as_client(id, secret)
    if not secret then return nil end
    return { Authorization = "Basic " .. base64.encode(http.escape(id) .. ":" .. http.escape(secret)) }
  end
  local function token(form, id, secret)
    if not secret then form.client_id = id end
    return public.post("/oauth2/token", { form = form, headers = as_client(id, secret) })
  end
  c.oauth2 = service.part {
    authorize_url = function(id, o)
      local query = { client_id = id, redirect_uri = o.redirect_uri, scope = o.scope or "openid profile email",
        response_type = o.response_type or "code", state = o.state, nonce = o.nonce }
      for key, value in pairs(o.extra or {}) do query[key] = value end
      if not opts.public_url then error("hydra: public_url is missing", 3) end
      return opts.public_url:gsub("/+$", "") .. "/oauth2/auth?" .. http.form(query)
    end,
    exchange_code = function(o)
      return token({ grant_type = "authorization_code", code = o.code, redirect_uri = o.redirect_uri, code_verifier = o.code_verifier },
        o.client_id, o.client_secret)
    end,
    refresh_token = function(id, secret, refresh) return token({ grant_type = "refresh_token", refresh_token = refresh }, id, secret) end,
    introspect = function(text) return admin.post("/admin/oauth2/introspect", { form = { token = text } }) end,
    revoke_token = function(id, secret, text)
      local form = { token = text, client_id = not secret and id or nil }
      public.post("/oauth2/revoke", { form = form, headers = as_client(id, secret) })
      return true
    end,
  }
  local function request(kind)
    local at, name = "/admin/oauth2/auth/requests/" .. kind, kind .. "_challenge"
    local function query(challenge) return { [name] = challenge } end
    local function put(verb, challenge, body) return admin.put(at .. "/" .. verb, { query = query(challenge), body = body }) end
    return {
      get = function(challenge) return admin.get(at, { query = query(challenge) }) end,
      reject = function(challenge, why) return put("reject", challenge, why or { error = "access_denied" }) end,
    }, put
  end
  local function copy(o)
    local body = {}
    for key, value in pairs(o or {}) do body[key] = value end
    return body
  end
  local login, put_login = request("login")
  function login.accept(challenge, subject, o)
    local body = lists(copy(o), { "amr" })
    body.subject = subject
    return put_login("accept", challenge, body)
  end
  local consent, put_consent = request("consent")
  function consent.accept(challenge, o)
    return put_consent("accept", challenge, lists(copy(o), { "grant_scope", "grant_access_token_audience" }))
  end
  local logout, put_logout = request("logout")
  function logout.accept(challenge) return put_logout("accept", challenge) end
  function logout.reject(challenge)
    put_logout("reject", challenge)
    return true
  end
  c.login, c.consent, c.logout = service.part(login), service.part(consent), service.part(logout)
  c.discovery = service.part {
    openid_config = function() return public.get("/.well-known/openid-configuration") end,
    jwks = function() return public.get("/.well-known/jwks.json") end,
  }
  local flat = { list_clients = { "clients", "list" }, get_client = { "clients", "get" }, create_client = { "clients", "create" },
    update_client = { "clients", "update" }, delete_client = { "clients", "delete" }, build_authorize_url = { "oauth2", "authorize_url" },
    exchange_code = { "oauth2", "exchange_code" }, refresh_token = { "oauth2", "refresh_token" }, introspect = { "oauth2", "introspect" },
    revoke_token = { "oauth2", "revoke_token" }, well_known = { "discovery", "openid_config" }, jwks = { "discovery", "jwks" } }
  for _, kind in ipairs { "login", "consent", "logout" } do
    for _, verb in ipairs { "get", "accept", "reject" } do flat[verb .. "_" .. kind] = { kind, verb } end
  end
  service.flat(c, flat)
  return c
end

return M
