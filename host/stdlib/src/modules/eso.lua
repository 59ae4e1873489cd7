--- @module assay.eso
--- @description External Secrets Operator: external secrets and secret stores.
--- @category kubernetes
--- @keywords external-secrets, eso, secrets, stores, kubernetes
--- @quickref M.client(url, token, opts?) -> c | a token of the cluster
--- @quickref c.external_secrets:status(ns, name) -> {ready, status, sync_hash, conditions} | how it is
--- @quickref c.external_secrets:all_synced(ns) -> {synced, failed, total, failed_names} | how many are
--- @quickref c.external_secrets:get(ns, name) -> secret|nil | one of them
--- @quickref c.external_secrets:is_synced(ns, name) -> bool | whether it is synced
--- @quickref c.external_secrets:list(ns) -> {items} | every one
--- @quickref c.external_secrets:wait_synced(ns, name, seconds?) -> true | asks again until it is
--- @quickref c.secret_stores:list(ns) -> {items} | every one
--- @quickref c.secret_stores:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | how many are
--- @quickref c.secret_stores:get(ns, name) -> store|nil | one of them
--- @quickref c.secret_stores:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.secret_stores:status(ns, name) -> {ready, conditions} | how it is
--- @quickref c.cluster_secret_stores:list() -> {items} | every one
--- @quickref c.cluster_secret_stores:get(name) -> store|nil | one of them
--- @quickref c.cluster_secret_stores:is_ready(name) -> bool | its condition Ready
--- @quickref c.cluster_external_secrets:list() -> {items} | every one
--- @quickref c.cluster_external_secrets:get(name) -> secret|nil | one of them
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

local function ready(object) return crd.is(object, "Ready") end

function M.client(url, token, opts)
  local c, s = crd.client("eso", url, token, opts)
  -- Current releases serve v1 alone, older ones v1beta1.
  local function kind(plural) return crd.kind(s, "external-secrets.io", { "v1", "v1beta1" }, plural) end
  local secrets, stores = kind("externalsecrets"), kind("secretstores")
  local cluster_stores, cluster_secrets = kind("clustersecretstores"), kind("clusterexternalsecrets")
  local function need(k, ns, name, what)
    return k.get(ns, name) or error("eso: GET " .. what .. " " .. name .. ": 404: it is not there", 0)
  end
  local function is_synced(ns, name) return ready(secrets.get(ns, name)) end
  c.external_secrets = service.part {
    list = secrets.list, get = secrets.get, is_synced = is_synced,
    status = function(ns, name)
      local found = need(secrets, ns, name, "external secret")
      local condition, status = crd.condition(found, "Ready"), found.status or {}
      return { ready = ready(found), status = condition and condition.reason, sync_hash = status.syncedResourceVersion,
        conditions = status.conditions or {} }
    end,
    wait_synced = function(ns, name, seconds)
      return service.wait("eso", "external secret " .. name .. " not synced", seconds or 60, 5, function() return is_synced(ns, name) end)
    end,
    all_synced = function(ns) return crd.count(secrets.items(ns), "synced", "failed", "failed_names", ready) end,
  }
  c.secret_stores = service.part {
    list = stores.list, get = stores.get,
    status = function(ns, name)
      local found = need(stores, ns, name, "secret store")
      return { ready = ready(found), conditions = found.status and found.status.conditions or {} }
    end,
    is_ready = function(ns, name) return ready(stores.get(ns, name)) end,
    all_ready = function(ns) return crd.count(stores.items(ns), "ready", "not_ready", "not_ready_names", ready) end,
  }
  c.cluster_secret_stores = service.part {
    list = function() return cluster_stores.list(nil) end,
    get = function(name) return cluster_stores.get(nil, name) end,
    is_ready = function(name) return ready(cluster_stores.get(nil, name)) end,
  }
  c.cluster_external_secrets = service.part {
    list = function() return cluster_secrets.list(nil) end,
    get = function(name) return cluster_secrets.get(nil, name) end,
  }
  service.flat(c, {
    external_secret = { "external_secrets", "get" }, external_secret_status = { "external_secrets", "status" },
    is_secret_synced = { "external_secrets", "is_synced" }, wait_secret_synced = { "external_secrets", "wait_synced" },
    secret_store = { "secret_stores", "get" }, secret_store_status = { "secret_stores", "status" },
    is_store_ready = { "secret_stores", "is_ready" }, cluster_secret_store = { "cluster_secret_stores", "get" },
    cluster_external_secret = { "cluster_external_secrets", "get" },
    is_cluster_store_ready = { "cluster_secret_stores", "is_ready" }, all_secrets_synced = { "external_secrets", "all_synced" },
    all_stores_ready = { "secret_stores", "all_ready" },
  })
  return c
end

return M
