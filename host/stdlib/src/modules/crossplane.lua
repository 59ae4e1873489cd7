--- @module assay.crossplane
--- @description Crossplane: providers, configurations, functions, composite resources and managed resources.
--- @category kubernetes
--- @keywords crossplane, providers, compositions, xrd, managed-resources, kubernetes
--- @quickref M.client(url, token, opts?) -> c | a token of the cluster
--- @quickref c.providers:list(query?) -> {items} | every provider
--- @quickref c.providers:all(query?) -> iterator | page by page
--- @quickref c.providers:get(name) -> provider|nil | one of them
--- @quickref c.providers:is_healthy(name) -> bool | its condition Healthy
--- @quickref c.providers:is_installed(name) -> bool | its condition Installed
--- @quickref c.providers:status(name) -> {installed, healthy, current_revision, conditions} | raises where it is not there
--- @quickref c.providers:all_healthy() -> {healthy, unhealthy, total, unhealthy_names} | how many are
--- @quickref c.provider_revisions:list(query?) -> {items} | every revision
--- @quickref c.provider_revisions:all(query?) -> iterator | page by page
--- @quickref c.provider_revisions:get(name) -> revision|nil | one of them
--- @quickref c.configurations:list(query?) -> {items} | every configuration
--- @quickref c.configurations:all(query?) -> iterator | page by page
--- @quickref c.configurations:get(name) -> configuration|nil | one of them
--- @quickref c.configurations:is_healthy(name) -> bool | its condition Healthy
--- @quickref c.configurations:is_installed(name) -> bool | its condition Installed
--- @quickref c.functions:list(query?) -> {items} | every function
--- @quickref c.functions:all(query?) -> iterator | page by page
--- @quickref c.functions:get(name) -> function|nil | one of them
--- @quickref c.functions:is_healthy(name) -> bool | its condition Healthy
--- @quickref c.xrds:list(query?) -> {items} | every definition of a composite resource
--- @quickref c.xrds:all(query?) -> iterator | page by page
--- @quickref c.xrds:get(name) -> xrd|nil | one of them
--- @quickref c.xrds:is_established(name) -> bool | its condition Established
--- @quickref c.xrds:all_established() -> {established, not_established, total, not_established_names} | how many are
--- @quickref c.compositions:list(query?) -> {items} | every composition
--- @quickref c.compositions:all(query?) -> iterator | page by page
--- @quickref c.compositions:get(name) -> composition|nil | one of them
--- @quickref c.managed_resources:list(group, version, plural, query?) -> {items} | such as "s3.aws.upbound.io", "v1beta1", "buckets"
--- @quickref c.managed_resources:all(group, version, plural, query?) -> iterator | page by page
--- @quickref c.managed_resources:get(group, version, plural, name) -> resource|nil | one of them
--- @quickref c.managed_resources:is_ready(group, version, plural, name) -> bool | its condition Ready
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

function M.client(url, token, opts)
  local c, s = crd.client("crossplane", url, token, opts)
  -- Everything lies in the cluster, in no namespace.
  local function kind(group, versions, plural)
    local k = crd.kind(s, group, versions, plural)
    return {
      list = function(query) return k.list(nil, query) end,
      all = function(query) return k.all(nil, query) end,
      get = function(name) return k.get(nil, name) end,
    }, k
  end
  local function is(part, condition)
    return function(name) return crd.is(part.get(name), condition) end
  end
  local function count(k, condition, yes, no)
    return function()
      return crd.count(k.items(nil), yes, no, no .. "_names", function(one) return crd.is(one, condition) end)
    end
  end

  local providers, provider_kind = kind("pkg.crossplane.io", "v1", "providers")
  providers.is_healthy, providers.is_installed = is(providers, "Healthy"), is(providers, "Installed")
  function providers.status(name)
    local found = providers.get(name)
    if not found then error("crossplane: GET /apis/pkg.crossplane.io/v1/providers" .. service.path(name) .. ": 404: there is no such provider", 0) end
    local status = found.status or {}
    return { installed = crd.is(found, "Installed"), healthy = crd.is(found, "Healthy"), current_revision = status.currentRevision,
      conditions = status.conditions or {} }
  end
  providers.all_healthy = count(provider_kind, "Healthy", "healthy", "unhealthy")
  local configurations = kind("pkg.crossplane.io", "v1", "configurations")
  configurations.is_healthy, configurations.is_installed = is(configurations, "Healthy"), is(configurations, "Installed")
  -- Crossplane 1.17 and later serve v1, older ones v1beta1 alone.
  local functions = kind("pkg.crossplane.io", { "v1", "v1beta1" }, "functions")
  functions.is_healthy = is(functions, "Healthy")
  local xrds, xrd_kind = kind("apiextensions.crossplane.io", { "v1", "v2" }, "compositeresourcedefinitions")
  xrds.is_established = is(xrds, "Established")
  xrds.all_established = count(xrd_kind, "Established", "established", "not_established")
  c.providers, c.configurations = service.part(providers, "list"), service.part(configurations, "list")
  c.provider_revisions = service.part((kind("pkg.crossplane.io", "v1", "providerrevisions")), "list")
  c.functions, c.xrds = service.part(functions, "list"), service.part(xrds, "list")
  c.compositions = service.part((kind("apiextensions.crossplane.io", "v1", "compositions")), "list")
  local function managed(group, version, plural) return (kind(group, version, plural)) end
  c.managed_resources = service.part({
    list = function(group, version, plural, query) return managed(group, version, plural).list(query) end,
    all = function(group, version, plural, query) return managed(group, version, plural).all(query) end,
    get = function(group, version, plural, name) return managed(group, version, plural).get(name) end,
    is_ready = function(group, version, plural, name) return crd.is(managed(group, version, plural).get(name), "Ready") end,
  }, "list")
  service.flat(c, {
    provider = { "providers", "get" }, is_provider_healthy = { "providers", "is_healthy" },
    is_provider_installed = { "providers", "is_installed" }, provider_status = { "providers", "status" },
    provider_revision = { "provider_revisions", "get" }, configuration = { "configurations", "get" },
    is_configuration_healthy = { "configurations", "is_healthy" }, is_configuration_installed = { "configurations", "is_installed" },
    xfunction = { "functions", "get" }, is_function_healthy = { "functions", "is_healthy" }, xrd = { "xrds", "get" },
    is_xrd_established = { "xrds", "is_established" }, composition = { "compositions", "get" },
    managed_resource = { "managed_resources", "get" }, is_managed_ready = { "managed_resources", "is_ready" },
    all_providers_healthy = { "providers", "all_healthy" }, all_xrds_established = { "xrds", "all_established" },
  })
  return c
end

return M
