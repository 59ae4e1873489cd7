--- @module assay.rauthy
--- @description Rauthy: clients of its OpenID Connect, their secrets, discovery and health.
--- @category security
--- @keywords rauthy, oidc, clients, secrets, identity, sso
--- @quickref M.client(url, opts) -> c | opts.api_key, "NAME$SECRET"
--- @quickref c.clients:list() -> [client] | every one
--- @quickref c.clients:get(id) -> client|nil | one of them
--- @quickref c.clients:create(client) -> client | makes one
--- @quickref c.clients:update(id, client) -> client | in its place
--- @quickref c.clients:delete(id) -> true | removes one
--- @quickref c.clients:ensure(client) -> client | finds it by its id, or makes it
--- @quickref c.clients:secret(id) -> {id, confidential, secret}|nil | the secret that it has
--- @quickref c.clients:rotate_secret(id, opts?) -> {id, confidential, secret} | cache_current_hours
--- @quickref c.discovery:config() -> document | of OpenID Connect
--- @quickref c.health:check() -> bool | whether it answers
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("rauthy", url, opts, function(o)
    return { Authorization = o.api_key and "API-Key " .. o.api_key or nil }
  end)
  local function at(...) return "/auth/v1" .. service.path("clients", ...) end
  local function get(id) return s.get(at(id), { none = 404 }) end
  local function create(client) return s.post(at(), { body = client }) end
  c.clients = service.part {
    list = function() return s.get(at()) or {} end,
    get = get, create = create,
    update = function(id, client) return s.put(at(id), { body = client }) end,
    delete = function(id)
      s.delete(at(id))
      return true
    end,
    ensure = function(client)
      local found = get(client.id)
      if found then return found end
      log.info("rauthy: creates the client " .. tostring(client.id))
      return create(client)
    end,
    secret = function(id) return s.post(at(id, "secret"), { body = {}, none = 404 }) end,
    rotate_secret = function(id, o) return s.put(at(id, "secret"), { body = o or {} }) end,
  }
  c.discovery = service.part({ config = function() return s.get("/auth/v1/.well-known/openid-configuration", { auth = false }) end }, "config")
  c.health = service.part({ check = function() return s.answer("GET", "/auth/v1/health", { auth = false, ok = { 500, 503 } }).status == 200 end }, "check")
  return c
end

return M
