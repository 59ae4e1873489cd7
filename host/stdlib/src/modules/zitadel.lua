--- @module assay.zitadel
--- @description ZITADEL: domains, projects, applications, identity providers, users and the login policy.
--- @category security
--- @keywords zitadel, identity, oidc, sso, projects, users, login
--- @quickref M.client(opts) -> c | url, domain, and machine_key, machine_key_file or token; host and audience, auth.DOMAIN
--- @quickref c.domains:list() -> [domain] | of the organisation
--- @quickref c.domains:ensure_primary(domain) -> bool | adds it where it is missing, and makes it the first
--- @quickref c.projects:find(name) -> project|nil | by its exact name
--- @quickref c.projects:create(name, opts?) -> project | projectRoleAssertion and other fields of the API
--- @quickref c.projects:ensure(name, opts?) -> project | finds it or creates it
--- @quickref c.apps:find(project_id, name) -> app|nil | by its exact name
--- @quickref c.apps:create_oidc(project_id, opts) -> app | name, subdomain, callbackPath or redirectUris
--- @quickref c.apps:ensure_oidc(project_id, opts) -> app | finds it or creates it
--- @quickref c.idps:find(name) -> idp|nil | an identity provider by its name
--- @quickref c.idps:ensure_google(opts) -> id | clientId, clientSecret, scopes, providerOptions
--- @quickref c.idps:ensure_oidc(opts) -> id | name, issuer, clientId, clientSecret, scopes; updates one that is there
--- @quickref c.idps:add_to_login_policy(id) -> true | also where it is already
--- @quickref c.users:search(query?) -> [user] | queries of the API
--- @quickref c.users:all(query?) -> iterator | page by page
--- @quickref c.users:update_email(id, email) -> true | verified
--- @quickref c.login_policy:get() -> policy | of the instance
--- @quickref c.login_policy:update(policy) -> true | of the instance
--- @quickref c.login_policy:disable_password() -> true | so that only identity providers log in
local service = require("assay.client")
local M = {}

local SCOPE <const> = "openid urn:zitadel:iam:org:project:id:zitadel:aud"

local function machine_key(opts)
  local key = opts.machine_key
  if opts.machine_key_file then key = fs.read(opts.machine_key_file) end
  if type(key) == "string" then key = json.decode(key) end
  if type(key) ~= "table" or not key.userId or not key.key then
    error("zitadel.client: give a token, or a machine key with userId, keyId and key", 3)
  end
  return key
end

function M.client(opts)
  opts = opts or {}
  local host = opts.host or opts.domain and "auth." .. opts.domain
  local audience = opts.audience or host and "https://" .. host
  local key = not opts.token and machine_key(opts)
  if key and not audience then error("zitadel.client: `domain`, or `audience`, is missing", 2) end
  local there = tostring(opts.url):match("^https?://([^/:]+)")
  -- A server that is reached by another name learns from headers which instance is meant.
  local by_name = host and host ~= there and { ["X-Zitadel-Instance-Host"] = host, ["X-Zitadel-Public-Host"] = host } or {}
  local c, s = service.new("zitadel", opts.url, opts, function()
    local headers = { Authorization = opts.token and "Bearer " .. opts.token or nil }
    for name, value in pairs(by_name) do headers[name] = value end
    return headers
  end)
  if key then
    -- A token by a signed assertion: before the first request, and when it is no longer taken.
    function s.renew()
      local now = math.floor(time())
      local claims = { iss = key.userId, sub = key.userId, aud = audience, iat = now, exp = now + 300 }
      local _, plain = service.new("zitadel", opts.url, {}, function() return by_name end)
      local token = plain.post("/oauth/v2/token", { form = { grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer", scope = SCOPE,
        assertion = crypto.jwt_sign(claims, key.key, "RS256", { kid = key.keyId }) } })
      return { Authorization = "Bearer " .. token.access_token }
    end
  end
  local function path(base) return function(...) return base .. service.path(...) end end
  local admin, management = path("/admin/v1"), path("/management/v1")
  local function named(where, name, field)
    local body = { queries = { { nameQuery = { name = name, method = "TEXT_QUERY_METHOD_EQUALS" } } } }
    if field == "idp" then body = { queries = { { idpNameQuery = { name = name, method = "TEXT_QUERY_METHOD_EQUALS" } } } } end
    for _, one in ipairs(s.post(where, { body = body }).result or {}) do
      if one.name == name then return one end
    end
  end
  local function with(fields, more)
    for name, value in pairs(more or {}) do fields[name] = value end
    return fields
  end

  local function domains() return s.get(admin("orgs", "me", "domains")).result or {} end
  c.domains = service.part {
    list = domains,
    ensure_primary = function(name)
      local found
      for _, one in ipairs(domains()) do
        if one.domainName == name then found = one end
      end
      if found and found.isPrimary then return true end
      if not found then
        log.info("zitadel: adds the domain " .. name)
        s.post(admin("orgs", "me", "domains"), { body = { domain = name } })
      end
      s.post(admin("orgs", "me", "domains", name, "_set_primary"), { body = {} })
      return true
    end,
  }
  local function project(name) return named(management("projects", "_search"), name) end
  local function create_project(name, o)
    return s.post(management("projects"), { body = with({ name = name, projectRoleAssertion = true }, o) })
  end
  c.projects = service.part {
    find = project, create = create_project,
    ensure = function(name, o)
      local found = project(name)
      if found then return found end
      log.info("zitadel: creates the project " .. name)
      return create_project(name, o)
    end,
  }
  local function app(id, name) return named(management("projects", id, "apps", "_search"), name) end
  local function create_app(id, o)
    if type(o) ~= "table" or type(o.name) ~= "string" then error("zitadel: an application needs a `name`", 3) end
    local body = { responseTypes = { "OIDC_RESPONSE_TYPE_CODE" }, appType = "OIDC_APP_TYPE_WEB", authMethodType = "OIDC_AUTH_METHOD_TYPE_BASIC",
      grantTypes = { "OIDC_GRANT_TYPE_AUTHORIZATION_CODE", "OIDC_GRANT_TYPE_REFRESH_TOKEN" } }
    if o.subdomain then
      local origin = "https://" .. o.subdomain .. "." .. (opts.domain or error("zitadel: `subdomain` needs the client's `domain`", 3))
      body.redirectUris, body.postLogoutRedirectUris = { origin .. (o.callbackPath or "/") }, { origin }
    end
    with(body, o)
    body.subdomain, body.callbackPath = nil, nil
    local where = management("projects", id, "apps", "oidc")
    local answer = s.answer("POST", where, { body = body, ok = { 409 } })
    if answer.status == 409 then
      return app(id, o.name) or error("zitadel: POST " .. where .. ": 409: it is there, but cannot be found by its name", 0)
    end
    return json.decode(answer.body)
  end
  c.apps = service.part {
    find = app, create_oidc = create_app,
    ensure_oidc = function(id, o)
      local found = app(id, o.name)
      if found then return found end
      log.info("zitadel: creates the application " .. tostring(o.name))
      return create_app(id, o)
    end,
  }
  local function idp(name) return named(admin("idps", "templates", "_search"), name, "idp") end
  c.idps = service.part {
    find = idp,
    ensure_google = function(o)
      local found = idp(o.name or "Google")
      if found then return found.id end
      log.info("zitadel: adds Google as an identity provider")
      return s.post(admin("idps", "google"), { body = with({ name = "Google", scopes = { "openid", "profile", "email" } }, o) }).id
    end,
    ensure_oidc = function(o)
      local found = idp(o.name)
      local body = with({ scopes = { "openid", "profile", "email" } }, o)
      if found then
        s.put(admin("idps", "generic_oidc", found.id), { body = body })
        return found.id
      end
      log.info("zitadel: adds the identity provider " .. o.name)
      return s.post(admin("idps", "generic_oidc"), { body = body }).id
    end,
    add_to_login_policy = function(id)
      s.answer("POST", admin("policies", "login", "idps"), { body = { idpId = id, ownerType = "IDP_OWNER_TYPE_SYSTEM" }, ok = { 409 } })
      return true
    end,
  }
  local function search(query) return s.post(management("users", "_search"), { body = query or {} }) end
  c.users = service.part({
    search = function(query) return search(query).result or {} end,
    all = function(query)
      return coroutine.wrap(function()
        local offset = 0
        repeat
          local page = search({ queries = query and query.queries, query = { offset = tostring(offset), limit = 100, asc = true } }).result or {}
          for _, user in ipairs(page) do coroutine.yield(user) end
          offset = offset + #page
        until #page < 100
      end)
    end,
    update_email = function(id, email)
      s.put(management("users", id, "email"), { body = { email = email, isEmailVerified = true } })
      return true
    end,
  }, "search")
  local function policy() return s.get(admin("policies", "login")).policy or {} end
  local function update(changed)
    s.put(admin("policies", "login"), { body = changed })
    return true
  end
  c.login_policy = service.part({
    get = policy, update = update,
    disable_password = function()
      local now = policy()
      now.allowUsernamePassword, now.details, now.isDefault = false, nil, nil
      return update(now)
    end,
  }, "get")
  service.flat(c, {
    ensure_primary_domain = { "domains", "ensure_primary" }, find_project = { "projects", "find" }, create_project = { "projects", "create" },
    ensure_project = { "projects", "ensure" }, find_app = { "apps", "find" }, create_oidc_app = { "apps", "create_oidc" },
    ensure_oidc_app = { "apps", "ensure_oidc" }, find_idp = { "idps", "find" }, ensure_google_idp = { "idps", "ensure_google" },
    ensure_oidc_idp = { "idps", "ensure_oidc" }, add_idp_to_login_policy = { "idps", "add_to_login_policy" },
    search_users = { "users", "search" }, update_user_email = { "users", "update_email" }, get_login_policy = { "login_policy", "get" },
    update_login_policy = { "login_policy", "update" }, disable_password_login = { "login_policy", "disable_password" },
  })
  return c
end

return M
