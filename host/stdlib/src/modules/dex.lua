--- @module assay.dex
--- @description Dex and other OpenID Connect providers: discovery, keys, scopes, grants and health.
--- @category security
--- @keywords dex, oidc, openid, discovery, jwks, oauth
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.discovery:config() -> document | of OpenID Connect
--- @quickref c.discovery:has_endpoint(name) -> bool | whether the document has it
--- @quickref c.discovery:issuer() -> string | as the document says
--- @quickref c.discovery:jwks() -> {keys} | that sign tokens
--- @quickref c.health:check() -> bool | of the server
--- @quickref c.health:ready() -> bool | whether it takes requests
--- @quickref c.scopes:list() -> [string] | every one
--- @quickref c.scopes:supports(scope) -> bool | whether it is supported
--- @quickref c.grants:list() -> [string] | every one
--- @quickref c.grants:response_types() -> [string] | that are supported
--- @quickref c.grants:supports(grant) -> bool | whether it is supported
--- @quickref c:validate_config() -> {ok, errors} | what a document must have
--- @quickref c:admin_version() -> table|nil | of the API of the server
local service = require("assay.client")
local M = {}

local function holds(list, wanted)
  for _, one in ipairs(list or {}) do
    if one == wanted then return true end
  end
  return false
end

function M.client(url, opts)
  local c, s = service.new("dex", url, opts)
  local function config() return s.get("/.well-known/openid-configuration") end
  local function healthy()
    local ok, answer = pcall(s.answer, "GET", "/healthz", { ok = { 500, 503 } })
    if not ok and type(answer) == "table" and answer.kind == "denied" then error(answer, 0) end
    return ok and answer.status == 200
  end
  c.discovery = service.part({
    config = config,
    jwks = function() return s.get(config().jwks_uri, { auth = false }) end,
    issuer = function() return config().issuer end,
    has_endpoint = function(name) return config()[name] ~= nil end,
  }, "config")
  c.health = service.part({ check = healthy, ready = healthy }, "check")
  c.scopes = service.part({
    list = function() return config().scopes_supported or {} end,
    supports = function(scope) return holds(config().scopes_supported, scope) end,
  }, "list")
  c.grants = service.part({
    list = function() return config().grant_types_supported or {} end,
    supports = function(grant) return holds(config().grant_types_supported, grant) end,
    response_types = function() return config().response_types_supported or {} end,
  }, "list")
  function c.validate_config()
    local document, errors = config(), json.array()
    if not document.issuer then
      table.insert(errors, "issuer is missing")
    elseif document.issuer:gsub("/+$", "") ~= c.url then
      table.insert(errors, "issuer is " .. document.issuer .. ", not " .. c.url)
    end
    for _, name in ipairs { "authorization_endpoint", "token_endpoint", "jwks_uri" } do
      if not document[name] then table.insert(errors, name .. " is missing") end
    end
    return { ok = #errors == 0, errors = errors }
  end
  function c.admin_version() return s.get("/api/v1/version", { none = 404 }) end
  service.flat(c, {
    jwks = { "discovery", "jwks" }, issuer = { "discovery", "issuer" }, has_endpoint = { "discovery", "has_endpoint" },
    ready = { "health", "ready" }, supported_scopes = { "scopes", "list" }, supports_scope = { "scopes", "supports" },
    supported_grant_types = { "grants", "list" }, supports_grant_type = { "grants", "supports" },
    supported_response_types = { "grants", "response_types" },
  })
  return c
end

for _, name in ipairs { "discovery", "jwks", "issuer", "has_endpoint", "health", "ready", "supported_scopes", "supports_scope",
  "supported_grant_types", "supports_grant_type", "supported_response_types", "validate_config", "admin_version" } do
  M[name] = function(url, ...)
    local c = M.client(url)
    return c[name](c, ...)
  end
end

return M
