--- @module assay.tailscale
--- @description Tailscale: devices, keys and the policy of a tailnet.
--- @category networking
--- @keywords tailscale, devices, keys, tailnet, vpn, acl
--- @quickref M.client(opts) -> c | token, or client_id and client_secret; tailnet, else that of the token
--- @quickref c.devices:list() -> [device] | of the tailnet
--- @quickref c.devices:get(id) -> device|nil | one of them
--- @quickref c.devices:delete(id) -> true | takes it out of the tailnet
--- @quickref c.devices:set_tags(id, tags) -> true | such as { "tag:server" }
--- @quickref c.devices:set_key_expiry(id, disabled) -> true | whether its key stays for ever
--- @quickref c.keys:list() -> [key] | of who asks
--- @quickref c.keys:get(id) -> key|nil | without its secret
--- @quickref c.keys:create(capabilities, opts?) -> key | expirySeconds, description
--- @quickref c.keys:delete(id) -> true | ends it
--- @quickref c.acl:get() -> policy | as JSON
--- @quickref c.acl:preview(policy, kind, for_whom) -> {matches} | kind is "user" or "ipport"
local service = require("assay.client")
local oauth2 = require("assay.oauth2")
local M = {}

function M.client(opts)
  opts = opts or {}
  local base = (opts.base_url or "https://api.tailscale.com"):gsub("/+$", "")
  local c, s = service.new("tailscale", base, opts)
  if not opts.token then
    if not opts.client_id then error("tailscale.client: give a token, or client_id and client_secret", 2) end
    oauth2.renewing(s, oauth2.new({ client_id = opts.client_id, client_secret = opts.client_secret, token_url = base .. "/api/v2/oauth/token" }))
  end
  local function tailnet(...) return service.path("api", "v2", "tailnet", opts.tailnet or "-", ...) end
  local function device(...) return service.path("api", "v2", "device", ...) end
  local function done(method, path, body)
    s.answer(method, path, { body = body })
    return true
  end
  c.devices = service.part {
    list = function() return s.get(tailnet("devices")).devices or {} end,
    get = function(id) return s.get(device(id), { none = 404 }) end,
    delete = function(id) return done("DELETE", device(id)) end,
    set_tags = function(id, tags) return done("POST", device(id, "tags"), { tags = json.array(tags) }) end,
    set_key_expiry = function(id, disabled) return done("POST", device(id, "key"), { keyExpiryDisabled = disabled == true }) end,
  }
  c.keys = service.part {
    list = function() return s.get(tailnet("keys")).keys or {} end,
    get = function(id) return s.get(tailnet("keys", id), { none = 404 }) end,
    create = function(capabilities, o)
      local body = { capabilities = capabilities }
      for key, value in pairs(o or {}) do body[key] = value end
      return s.post(tailnet("keys"), { body = body })
    end,
    delete = function(id) return done("DELETE", tailnet("keys", id)) end,
  }
  c.acl = service.part({
    get = function() return s.get(tailnet("acl"), { headers = { Accept = "application/json" } }) end,
    preview = function(policy, kind, for_whom)
      return s.post(tailnet("acl", "preview"), { query = { type = kind, previewFor = for_whom }, body = policy })
    end,
  }, "get")
  return c
end

return M
