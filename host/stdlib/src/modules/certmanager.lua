--- @module assay.certmanager
--- @description cert-manager: certificates, issuers, requests, orders and challenges.
--- @category kubernetes
--- @keywords cert-manager, certificates, issuers, acme, tls, kubernetes
--- @quickref M.client(url, token, opts?) -> c | a token of the cluster
--- @quickref c.certificates:status(ns, name) -> {ready, not_after, not_before, renewal_time, revision, conditions}|nil | how it is
--- @quickref c.certificates:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | how many are
--- @quickref c.certificates:get(ns, name) -> certificate|nil | one of them
--- @quickref c.certificates:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.certificates:list(ns) -> {items} | every one
--- @quickref c.certificates:wait_ready(ns, name, seconds?) -> true | asks again until it is
--- @quickref c.issuers:list(ns) -> {items} | every one
--- @quickref c.issuers:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | how many are
--- @quickref c.issuers:get(ns, name) -> value|nil | one of them
--- @quickref c.issuers:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.cluster_issuers:list() -> {items} | every one
--- @quickref c.cluster_issuers:get(name) -> issuer|nil | one of them
--- @quickref c.cluster_issuers:is_ready(name) -> bool | its condition Ready
--- @quickref c.requests:is_approved(ns, name) -> bool | its condition Approved
--- @quickref c.requests:get(ns, name) -> request|nil | one of them
--- @quickref c.requests:list(ns) -> {items} | every one
--- @quickref c.orders:list(ns) -> {items} | every one
--- @quickref c.orders:get(ns, name) -> order|nil | one of them
--- @quickref c.challenges:get(ns, name) -> challenge|nil | one of them
--- @quickref c.challenges:list(ns) -> {items} | every one
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

local function ready(object) return crd.is(object, "Ready") end

function M.client(url, token, opts)
  local c, s = crd.client("certmanager", url, token, opts)
  local function kind(group, plural) return crd.kind(s, group, "v1", plural) end
  local certificates, issuers = kind("cert-manager.io", "certificates"), kind("cert-manager.io", "issuers")
  local cluster, requests = kind("cert-manager.io", "clusterissuers"), kind("cert-manager.io", "certificaterequests")
  local orders, challenges = kind("acme.cert-manager.io", "orders"), kind("acme.cert-manager.io", "challenges")
  local function is_ready(ns, name) return ready(certificates.get(ns, name)) end
  c.certificates = service.part {
    list = certificates.list, get = certificates.get, is_ready = is_ready,
    status = function(ns, name)
      local found = certificates.get(ns, name)
      if not found then return nil end
      local status = found.status or {}
      return { ready = ready(found), not_after = status.notAfter, not_before = status.notBefore, renewal_time = status.renewalTime,
        revision = status.revision, conditions = status.conditions or {} }
    end,
    wait_ready = function(ns, name, seconds)
      return service.wait("certmanager", "certificate " .. name .. " not ready", seconds or 300, 5, function() return is_ready(ns, name) end)
    end,
    all_ready = function(ns) return crd.count(certificates.items(ns), "ready", "not_ready", "not_ready_names", ready) end,
  }
  c.issuers = service.part {
    list = issuers.list, get = issuers.get,
    is_ready = function(ns, name) return ready(issuers.get(ns, name)) end,
    all_ready = function(ns) return crd.count(issuers.items(ns), "ready", "not_ready", "not_ready_names", ready) end,
  }
  c.cluster_issuers = service.part {
    list = function() return cluster.list(nil) end,
    get = function(name) return cluster.get(nil, name) end,
    is_ready = function(name) return ready(cluster.get(nil, name)) end,
  }
  c.requests = service.part {
    list = requests.list, get = requests.get,
    is_approved = function(ns, name) return crd.is(requests.get(ns, name), "Approved") end,
  }
  c.orders = service.part { list = orders.list, get = orders.get }
  c.challenges = service.part { list = challenges.list, get = challenges.get }
  service.flat(c, {
    certificate = { "certificates", "get" }, certificate_status = { "certificates", "status" },
    is_certificate_ready = { "certificates", "is_ready" }, wait_certificate_ready = { "certificates", "wait_ready" },
    issuer = { "issuers", "get" }, is_issuer_ready = { "issuers", "is_ready" }, cluster_issuer = { "cluster_issuers", "get" },
    is_cluster_issuer_ready = { "cluster_issuers", "is_ready" }, certificate_requests = { "requests", "list" },
    certificate_request = { "requests", "get" }, is_request_approved = { "requests", "is_approved" }, order = { "orders", "get" },
    challenge = { "challenges", "get" }, all_certificates_ready = { "certificates", "all_ready" }, all_issuers_ready = { "issuers", "all_ready" },
  })
  return c
end

return M
