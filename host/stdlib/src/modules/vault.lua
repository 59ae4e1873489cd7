--- @module assay.vault
--- @description HashiCorp Vault and OpenBao: secrets, policies, authentication, engines, tokens, transit and PKI.
--- @category security
--- @keywords vault, openbao, secrets, kv, policies, transit, pki, tokens
--- @quickref M.client(url, token, opts?) -> c | a token
--- @quickref c:read(path) -> data|nil | at any path
--- @quickref c:write(path, fields) -> answer|nil | at any path
--- @quickref c:delete(path) -> true | at any path
--- @quickref c:list(path) -> [string] | keys below it
--- @quickref c.kv:get(mount, key) -> {data, metadata}|nil | one of them
--- @quickref c.kv:delete(mount, key) -> true | its newest version
--- @quickref c.kv:list(mount, prefix?) -> [string] | keys below a prefix
--- @quickref c.kv:metadata(mount, key) -> metadata|nil | versions of a key
--- @quickref c.kv:put(mount, key, fields) -> metadata | a new version
--- @quickref c.sys:health() -> status | of the server, whatever it is
--- @quickref c.sys:is_initialized() -> bool | whether it is set up
--- @quickref c.sys:is_sealed() -> bool | whether it is sealed
--- @quickref c.sys:seal_status() -> status | of the seal
--- @quickref c.policies:get(name) -> policy|nil | one of them
--- @quickref c.policies:create(name, hcl) -> true | or changes it
--- @quickref c.policies:delete(name) -> true | removes one
--- @quickref c.policies:list() -> [string] | names
--- @quickref c.auth:methods() -> methods | of logging in
--- @quickref c.auth:config(path, fields) -> true | of a method
--- @quickref c.auth:create_role(path, role, fields) -> true | of a method
--- @quickref c.auth:disable(path) -> true | ends a method
--- @quickref c.auth:enable(path, kind, opts?) -> true | description, config
--- @quickref c.auth:get_role(path, role) -> role|nil | one of them
--- @quickref c.auth:list_roles(path) -> [string] | of a method
--- @quickref c.engines:list() -> engines | every one
--- @quickref c.engines:disable(path) -> true | with all that it holds
--- @quickref c.engines:enable(path, kind, opts?) -> true | description, config, options
--- @quickref c.engines:tune(path, fields) -> true | changes its settings
--- @quickref c.token:create(opts) -> auth | makes one
--- @quickref c.token:lookup(token) -> data | what a token is
--- @quickref c.token:lookup_self() -> data | what its own token is
--- @quickref c.token:revoke(token) -> true | ends a token
--- @quickref c.token:revoke_self() -> true | ends its own token
--- @quickref c.transit:encrypt(key, text) -> ciphertext | of any bytes
--- @quickref c.transit:create_key(key, fields?) -> true | or leaves it
--- @quickref c.transit:decrypt(key, ciphertext) -> string | any bytes
--- @quickref c.transit:list_keys() -> [string] | names
--- @quickref c.pki:issue(mount, role, opts) -> data | a certificate with its key
--- @quickref c.pki:ca_cert(mount?) -> string | as PEM
--- @quickref c.pki:create_role(mount, role, fields) -> true | for certificates
--- @quickref M.authenticated_client(url, opts?) -> c | the token of a secret of Kubernetes: secret_namespace, secret_name, secret_key
--- @quickref M.wait(url, opts?) -> true | until it answers; timeout, interval
--- @quickref M.assert_secret(c, ...) -> data | mount (secrets), path, keys that must be there
--- @quickref M.ensure_credentials(c, ...) -> data | mount (secrets), path, key, function that makes them
local service = require("assay.client")
local M = {}

-- A path that a team has chosen: its segments are encoded, its slashes stay.
local function below(path)
  local parts = {}
  for part in tostring(path or ""):gmatch("[^/]+") do parts[#parts + 1] = service.segment(part) end
  -- Without a segment it would be the path above.
  return parts[1] and table.concat(parts, "/") or service.segment(path and "")
end

function M.client(url, token, opts)
  if type(token) == "table" then token, opts = token.token, token end
  local c, s = service.new("vault", url, opts, function() return { ["X-Vault-Token"] = token } end)
  local function data(path, how)
    how = how or {}
    how.none = 404
    local answer = s.get("/v1/" .. path, how)
    return answer and answer.data
  end
  local function list(path)
    local found = data(path, { query = { list = "true" } })
    return found and found.keys or {}
  end
  local function write(path, body, method) return s.request(method or "POST", "/v1/" .. path, { body = body or {} }) end
  local function delete(path) s.delete("/v1/" .. path) return true end

  function c:read(path) return data(below(path)) end
  function c:write(path, t) return write(below(path), t) end
  function c:delete(path) return delete(below(path)) end
  function c:list(path) return list(below(path)) end

  c.kv = service.part {
    get = function(mount, key) return data(below(mount) .. "/data/" .. below(key)) end,
    put = function(mount, key, t)
      local answer = write(below(mount) .. "/data/" .. below(key), { data = t })
      return answer and answer.data
    end,
    delete = function(mount, key) return delete(below(mount) .. "/data/" .. below(key)) end,
    list = function(mount, prefix) return list(below(mount) .. "/metadata/" .. (prefix and prefix:find("[^/]") and below(prefix) or "")) end,
    metadata = function(mount, key) return data(below(mount) .. "/metadata/" .. below(key)) end,
  }
  local function seal() return s.get("/v1/sys/seal-status", { auth = false }) end
  c.sys = service.part {
    health = function() return s.get("/v1/sys/health", { auth = false, ok = { 429, 472, 473, 501, 503 } }) end,
    seal_status = seal,
    is_sealed = function() return seal().sealed end,
    is_initialized = function() return seal().initialized end,
  }
  c.policies = service.part {
    get = function(name) return data("sys/policies/acl/" .. service.segment(name)) end,
    create = function(name, hcl) write("sys/policies/acl/" .. service.segment(name), { policy = hcl }, "PUT") return true end,
    delete = function(name) return delete("sys/policies/acl/" .. service.segment(name)) end,
    list = function() return list("sys/policies/acl") end,
  }
  c.auth = service.part {
    enable = function(path, kind, o)
      o = o or {}
      write("sys/auth/" .. below(path), { type = kind, description = o.description, config = o.config })
      return true
    end,
    disable = function(path) return delete("sys/auth/" .. below(path)) end,
    methods = function() return data("sys/auth") end,
    config = function(path, t) write("auth/" .. below(path) .. "/config", t) return true end,
    create_role = function(path, role, t) write("auth/" .. below(path) .. "/role/" .. service.segment(role), t) return true end,
    get_role = function(path, role) return data("auth/" .. below(path) .. "/role/" .. service.segment(role)) end,
    list_roles = function(path) return list("auth/" .. below(path) .. "/role") end,
  }
  c.engines = service.part {
    enable = function(path, kind, o)
      o = o or {}
      write("sys/mounts/" .. below(path), { type = kind, description = o.description, config = o.config, options = o.options })
      return true
    end,
    disable = function(path) return delete("sys/mounts/" .. below(path)) end,
    list = function() return data("sys/mounts") end,
    tune = function(path, t) write("sys/mounts/" .. below(path) .. "/tune", t) return true end,
  }
  c.token = service.part {
    create = function(t) return write("auth/token/create", t).auth end,
    lookup = function(tok) return write("auth/token/lookup", { token = tok }).data end,
    lookup_self = function() return data("auth/token/lookup-self") end,
    revoke = function(tok) write("auth/token/revoke", { token = tok }) return true end,
    revoke_self = function() write("auth/token/revoke-self") return true end,
  }
  c.transit = service.part {
    encrypt = function(key, text)
      return write("transit/encrypt/" .. service.segment(key), { plaintext = base64.encode(text) }).data.ciphertext
    end,
    decrypt = function(key, text)
      return base64.decode(write("transit/decrypt/" .. service.segment(key), { ciphertext = text }).data.plaintext)
    end,
    create_key = function(key, t) write("transit/keys/" .. service.segment(key), t) return true end,
    list_keys = function() return list("transit/keys") end,
  }
  c.pki = service.part {
    issue = function(mount, role, t) return write(below(mount) .. "/issue/" .. service.segment(role), t).data end,
    ca_cert = function(mount) return s.get("/v1/" .. below(mount or "pki") .. "/ca/pem", { text = true, auth = false }) end,
    create_role = function(mount, role, t) write(below(mount) .. "/roles/" .. service.segment(role), t) return true end,
  }
  service.flat(c, {
    kv_get = { "kv", "get" }, kv_put = { "kv", "put" }, kv_delete = { "kv", "delete" }, kv_list = { "kv", "list" },
    kv_metadata = { "kv", "metadata" }, health = { "sys", "health" }, seal_status = { "sys", "seal_status" },
    is_sealed = { "sys", "is_sealed" }, is_initialized = { "sys", "is_initialized" }, policy_get = { "policies", "get" },
    policy_put = { "policies", "create" }, policy_delete = { "policies", "delete" }, policy_list = { "policies", "list" },
    auth_enable = { "auth", "enable" }, auth_disable = { "auth", "disable" }, auth_list = { "auth", "methods" },
    auth_config = { "auth", "config" }, auth_create_role = { "auth", "create_role" }, auth_read_role = { "auth", "get_role" },
    auth_list_roles = { "auth", "list_roles" }, engine_enable = { "engines", "enable" }, engine_disable = { "engines", "disable" },
    engine_list = { "engines", "list" }, engine_tune = { "engines", "tune" }, token_create = { "token", "create" },
    token_lookup = { "token", "lookup" }, token_lookup_self = { "token", "lookup_self" }, token_revoke = { "token", "revoke" },
    token_revoke_self = { "token", "revoke_self" }, transit_encrypt = { "transit", "encrypt" },
    transit_decrypt = { "transit", "decrypt" }, transit_create_key = { "transit", "create_key" },
    transit_list_keys = { "transit", "list_keys" }, pki_issue = { "pki", "issue" }, pki_ca_cert = { "pki", "ca_cert" },
    pki_create_role = { "pki", "create_role" },
  })
  return c
end

function M.wait(url, opts)
  opts = opts or {}
  local query = { standbyok = "true", sealedcode = 200, uninitcode = 200 }
  local _, s = service.new("vault", url, opts, function() return {} end)
  return service.wait("vault", url .. " not ready", opts.timeout or 60, opts.interval or 2, function()
    return s.answer("GET", opts.health_path or "/v1/sys/health", { query = query }).status == 200
  end)
end

--- A client with the token that a secret of Kubernetes holds. `opts.k8s` says how the cluster is reached, as for assay.k8s.
function M.authenticated_client(url, opts)
  opts = opts or {}
  M.wait(url, { timeout = opts.timeout, interval = opts.interval })
  local namespace, name = opts.secret_namespace or "secrets", opts.secret_name or "openbao-root-token"
  local key = opts.secret_key or "root-token"
  local token = require("assay.k8s").secrets:get(namespace, name, opts.k8s)[key]
  if not token then error("vault: the secret " .. namespace .. "/" .. name .. " has no `" .. key .. "`", 2) end
  return M.client(url, (token:gsub("%s+$", "")), opts)
end

--- Credentials at a path of a mount; made and written where the key is not there. Without a mount it is `secrets`.
function M.ensure_credentials(c, ...)
  local mount, path, key, make = ...
  if select("#", ...) < 4 then mount, path, key, make = "secrets", ... end
  local found = c.kv:get(mount, path)
  if found and found.data and found.data[key] then return found.data end
  local made = make()
  c.kv:put(mount, path, made)
  log.info("vault: wrote " .. mount .. "/" .. path)
  return made
end

--- The data at a path of a mount, or an error that names the keys that are missing.
function M.assert_secret(c, ...)
  local mount, path, wanted = ...
  if select("#", ...) < 3 then mount, path, wanted = "secrets", ... end
  local found = c.kv:get(mount, path)
  if not found or not found.data then error("vault: " .. mount .. "/" .. path .. " is not there", 2) end
  for _, key in ipairs(wanted) do
    if found.data[key] == nil then error("vault: " .. mount .. "/" .. path .. " has no `" .. key .. "`", 2) end
  end
  return found.data
end

return M
