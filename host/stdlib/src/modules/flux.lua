--- @module assay.flux
--- @description Flux: sources, kustomizations, Helm releases, notifications and image policies.
--- @category kubernetes
--- @keywords flux, gitops, kustomizations, helm, sources, kubernetes
--- @quickref M.client(url, token, opts?) -> c | a token of the cluster
--- @quickref c.git_repos:list(ns) -> {items} | every one
--- @quickref c.git_repos:get(ns, name) -> repository|nil | one of them
--- @quickref c.git_repos:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.helm_charts:list(ns) -> {items} | every one
--- @quickref c.kustomizations:status(ns, name) -> {ready, revision, last_applied_revision, conditions}|nil | how it is
--- @quickref c.kustomizations:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | how many are
--- @quickref c.kustomizations:get(ns, name) -> kustomization|nil | one of them
--- @quickref c.kustomizations:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.kustomizations:list(ns) -> {items} | every one
--- @quickref c.helm_releases:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | how many are
--- @quickref c.helm_releases:get(ns, name) -> release|nil | one of them
--- @quickref c.helm_releases:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.helm_releases:list(ns) -> {items} | every one
--- @quickref c.helm_releases:status(ns, name) -> {ready, conditions} | how it is
--- @quickref c.notifications:alerts(ns) -> {items} | what is told where
--- @quickref c.notifications:providers(ns) -> {items} | where alerts go
--- @quickref c.notifications:receivers(ns) -> {items} | of webhooks
--- @quickref c.image_policies:list(ns) -> {items} | image policies
--- @quickref c.sources:all_ready(ns) -> {ready, not_ready, total, not_ready_names} | git and Helm repositories together
--- @quickref c.helm_repos:get(ns, name) -> repository|nil | one of them
--- @quickref c.helm_repos:is_ready(ns, name) -> bool | its condition Ready
--- @quickref c.helm_repos:list(ns) -> {items} | every one
--- @quickref c.oci_repos:list(ns) -> {items} | every one
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

local function ready(object) return crd.is(object, "Ready") end

function M.client(url, token, opts)
  local c, s = crd.client("flux", url, token, opts)
  local function kind(group, versions, plural) return crd.kind(s, group .. ".toolkit.fluxcd.io", versions, plural) end
  local git = kind("source", "v1", "gitrepositories")
  local helm = kind("source", "v1", "helmrepositories")
  local function source(k)
    return service.part { list = k.list, get = k.get, is_ready = function(ns, name) return ready(k.get(ns, name)) end }
  end
  c.git_repos, c.helm_repos = source(git), source(helm)
  c.helm_charts = service.part { list = kind("source", "v1", "helmcharts").list }
  c.oci_repos = service.part { list = kind("source", { "v1", "v1beta2" }, "ocirepositories").list }
  local function applied(k)
    return service.part {
      list = k.list, get = k.get,
      is_ready = function(ns, name) return ready(k.get(ns, name)) end,
      status = function(ns, name)
        local found = k.get(ns, name)
        if not found then return nil end
        local status = found.status or {}
        return { ready = ready(found), revision = status.lastAttemptedRevision, last_applied_revision = status.lastAppliedRevision,
          conditions = status.conditions or {} }
      end,
      all_ready = function(ns) return crd.count(k.items(ns), "ready", "not_ready", "not_ready_names", ready) end,
    }
  end
  c.kustomizations = applied(kind("kustomize", "v1", "kustomizations"))
  c.helm_releases = applied(kind("helm", "v2", "helmreleases"))
  c.notifications = service.part {
    alerts = kind("notification", "v1beta3", "alerts").list,
    providers = kind("notification", "v1beta3", "providers").list,
    receivers = kind("notification", "v1", "receivers").list,
  }
  c.image_policies = service.part { list = kind("image", { "v1", "v1beta2" }, "imagepolicies").list }
  c.sources = service.part {
    all_ready = function(ns)
      local items = git.items(ns)
      for _, item in ipairs(helm.items(ns)) do items[#items + 1] = item end
      return crd.count(items, "ready", "not_ready", "not_ready_names", ready)
    end,
  }
  service.flat(c, {
    git_repositories = { "git_repos", "list" }, git_repository = { "git_repos", "get" }, is_git_repo_ready = { "git_repos", "is_ready" },
    helm_repositories = { "helm_repos", "list" }, helm_repository = { "helm_repos", "get" }, is_helm_repo_ready = { "helm_repos", "is_ready" },
    oci_repositories = { "oci_repos", "list" }, kustomization = { "kustomizations", "get" },
    is_kustomization_ready = { "kustomizations", "is_ready" }, kustomization_status = { "kustomizations", "status" },
    helm_release = { "helm_releases", "get" }, is_helm_release_ready = { "helm_releases", "is_ready" },
    helm_release_status = { "helm_releases", "status" }, alerts = { "notifications", "alerts" },
    providers_list = { "notifications", "providers" }, receivers = { "notifications", "receivers" },
    all_sources_ready = { "sources", "all_ready" }, all_kustomizations_ready = { "kustomizations", "all_ready" },
    all_helm_releases_ready = { "helm_releases", "all_ready" },
  })
  return c
end

return M
