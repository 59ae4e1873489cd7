--- @module assay.traefik
--- @description Traefik: entry points, routers, services and middlewares.
--- @category networking
--- @keywords traefik, proxy, routers, services, middlewares, ingress
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.info:overview() -> overview | of routers and services
--- @quickref c.info:rawdata() -> data | everything
--- @quickref c.info:version() -> version | of the server
--- @quickref c.entrypoints:list() -> [entrypoint] | every one
--- @quickref c.entrypoints:get(name) -> entrypoint|nil | one of them
--- @quickref c.routers:list() -> [router] | every one
--- @quickref c.routers:healthy() -> enabled, others | two numbers
--- @quickref c.routers:get(name) -> router|nil | one of them
--- @quickref c.routers:has_tls(name) -> bool | whether it has TLS
--- @quickref c.routers:is_enabled(name) -> bool | whether it is enabled
--- @quickref c.services:list() -> [service] | every one
--- @quickref c.services:get(name) -> service|nil | one of them
--- @quickref c.services:server_count(name) -> number | of its servers
--- @quickref c.middlewares:list() -> [middleware] | every one
--- @quickref c.middlewares:get(name) -> middleware|nil | one of them
--- @quickref c.tcp:routers() -> [router] | of TCP
--- @quickref c.tcp:services() -> [service] | of TCP
local service = require("assay.client")
local M = {}

local FLAT <const> = {
  overview = { "info", "overview" }, version = { "info", "version" }, rawdata = { "info", "rawdata" },
  entrypoints = { "entrypoints", "list" }, entrypoint = { "entrypoints", "get" },
  http_routers = { "routers", "list" }, http_router = { "routers", "get" }, http_services = { "services", "list" },
  http_service = { "services", "get" }, http_middlewares = { "middlewares", "list" }, http_middleware = { "middlewares", "get" },
  tcp_routers = { "tcp", "routers" }, tcp_services = { "tcp", "services" }, is_router_enabled = { "routers", "is_enabled" },
  router_has_tls = { "routers", "has_tls" }, service_server_count = { "services", "server_count" },
  healthy_routers = { "routers", "healthy" },
}

function M.client(url, opts)
  local c, s = service.new("traefik", url, opts)
  local function listed(...)
    local base = service.path("api", ...)
    return function() return s.get(base) end, function(name) return s.get(base .. service.path(name), { none = 404 }) end
  end
  c.info = service.part {
    overview = function() return s.get("/api/overview") end,
    version = function() return s.get("/api/version") end,
    rawdata = function() return s.get("/api/rawdata") end,
  }
  local list, get = listed("entrypoints")
  c.entrypoints = service.part({ list = list, get = get }, "list")
  local routers, router = listed("http", "routers")
  c.routers = service.part({
    list = routers, get = router,
    is_enabled = function(name) return (router(name) or {}).status == "enabled" end,
    has_tls = function(name) return (router(name) or {}).tls ~= nil end,
    healthy = function()
      local enabled, others = 0, 0
      for _, one in ipairs(routers()) do
        if one.status == "enabled" then enabled = enabled + 1 else others = others + 1 end
      end
      return enabled, others
    end,
  }, "list")
  local services, one_service = listed("http", "services")
  c.services = service.part({
    list = services, get = one_service,
    server_count = function(name)
      local balancer = (one_service(name) or {}).loadBalancer
      return balancer and balancer.servers and #balancer.servers or 0
    end,
  }, "list")
  list, get = listed("http", "middlewares")
  c.middlewares = service.part({ list = list, get = get }, "list")
  c.tcp = service.part {
    routers = function() return s.get("/api/tcp/routers") end,
    services = function() return s.get("/api/tcp/services") end,
  }
  service.flat(c, FLAT)
  return c
end

service.functions(M, FLAT)

return M
