--- @module assay.velero
--- @description Velero: backups, restores, schedules and storage locations.
--- @category kubernetes
--- @keywords velero, backups, restores, schedules, kubernetes
--- @quickref M.client(url, token, namespace?, opts?) -> c | namespace velero
--- @quickref c.backups:status(name) -> {phase, started, completed, expiration, errors, warnings, items_backed_up, items_total} | how it is
--- @quickref c.backups:get(name) -> backup|nil | one of them
--- @quickref c.backups:is_completed(name) -> bool | phase Completed
--- @quickref c.backups:is_failed(name) -> bool | phase Failed or PartiallyFailed
--- @quickref c.backups:latest(schedule) -> backup|nil | the newest one
--- @quickref c.backups:list(opts?) -> [backup] | every one
--- @quickref c.restores:status(name) -> {phase, started, completed, errors, warnings} | how it is
--- @quickref c.restores:get(name) -> restore|nil | one of them
--- @quickref c.restores:is_completed(name) -> bool | phase Completed
--- @quickref c.restores:list(opts?) -> [restore] | every one
--- @quickref c.schedules:status(name) -> {phase, last_backup, validation_errors} | how it is
--- @quickref c.schedules:all_enabled() -> {enabled, disabled, total, disabled_names} | how many are
--- @quickref c.schedules:get(name) -> schedule|nil | one of them
--- @quickref c.schedules:is_enabled(name) -> bool | whether it is enabled
--- @quickref c.schedules:list(opts?) -> [schedule] | every one
--- @quickref c.storage_locations:is_available(name) -> bool | phase Available
--- @quickref c.storage_locations:all_available() -> {available, unavailable, total, unavailable_names} | how many are
--- @quickref c.storage_locations:get(name) -> location|nil | one of them
--- @quickref c.storage_locations:list(opts?) -> [location] | every one
--- @quickref c.volume_snapshots:list() -> [location] | every one
--- @quickref c.volume_snapshots:get(name) -> location|nil | one of them
--- @quickref c.repositories:get(name) -> repository|nil | one of them
--- @quickref c.repositories:list(opts?) -> [repository] | every one
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

function M.client(url, token, namespace, opts)
  local c, s = crd.client("velero", url, token, opts)
  local ns = namespace or "velero"
  local function kind(plural)
    local k = crd.kind(s, "velero.io", "v1", plural)
    local function get(name) return k.get(ns, name) end
    local function need(name) return get(name) or error("velero: GET " .. plural .. "/" .. name .. ": 404: it is not there", 0) end
    local function phase(name) local found = get(name) return found and found.status and found.status.phase end
    return { list = function(query) return k.items(ns, query) end, get = get }, need, phase
  end
  local backups, backup, backup_phase = kind("backups")
  function backups.status(name)
    local status = backup(name).status or {}
    local progress = status.progress or {}
    return { phase = status.phase, started = status.startTimestamp, completed = status.completionTimestamp, expiration = status.expiration,
      errors = status.errors or 0, warnings = status.warnings or 0, items_backed_up = progress.itemsBackedUp or 0,
      items_total = progress.totalItems or 0 }
  end
  function backups.is_completed(name) return backup_phase(name) == "Completed" end
  function backups.is_failed(name)
    local phase = backup_phase(name)
    return phase == "Failed" or phase == "PartiallyFailed"
  end
  function backups.latest(schedule)
    local newest
    for _, one in ipairs(backups.list({ labelSelector = "velero.io/schedule-name=" .. schedule })) do
      local at, best = one.metadata.creationTimestamp, newest and newest.metadata.creationTimestamp
      if not best or at > best or at == best and one.metadata.name > newest.metadata.name then newest = one end
    end
    return newest
  end
  c.backups = service.part(backups)
  local restores, restore, restore_phase = kind("restores")
  function restores.status(name)
    local status = restore(name).status or {}
    return { phase = status.phase, started = status.startTimestamp, completed = status.completionTimestamp, errors = status.errors or 0,
      warnings = status.warnings or 0 }
  end
  function restores.is_completed(name) return restore_phase(name) == "Completed" end
  c.restores = service.part(restores)
  local schedules, schedule, schedule_phase = kind("schedules")
  function schedules.status(name)
    local status = schedule(name).status or {}
    return { phase = status.phase, last_backup = status.lastBackup, validation_errors = status.validationErrors or {} }
  end
  function schedules.is_enabled(name) return schedule_phase(name) == "Enabled" end
  local function in_phase(phase) return function(one) return one.status ~= nil and one.status.phase == phase end end
  function schedules.all_enabled()
    return crd.count(schedules.list(), "enabled", "disabled", "disabled_names", in_phase("Enabled"))
  end
  c.schedules = service.part(schedules)
  local locations, _, location_phase = kind("backupstoragelocations")
  function locations.is_available(name) return location_phase(name) == "Available" end
  function locations.all_available()
    return crd.count(locations.list(), "available", "unavailable", "unavailable_names", in_phase("Available"))
  end
  c.storage_locations = service.part(locations)
  c.volume_snapshots = service.part((kind("volumesnapshotlocations")))
  c.repositories = service.part((kind("backuprepositories")))
  service.flat(c, {
    backup = { "backups", "get" }, backup_status = { "backups", "status" }, is_backup_completed = { "backups", "is_completed" },
    is_backup_failed = { "backups", "is_failed" }, latest_backup = { "backups", "latest" }, restore = { "restores", "get" },
    restore_status = { "restores", "status" }, is_restore_completed = { "restores", "is_completed" }, schedule = { "schedules", "get" },
    schedule_status = { "schedules", "status" }, is_schedule_enabled = { "schedules", "is_enabled" },
    backup_storage_locations = { "storage_locations", "list" }, backup_storage_location = { "storage_locations", "get" },
    is_bsl_available = { "storage_locations", "is_available" }, volume_snapshot_locations = { "volume_snapshots", "list" },
    volume_snapshot_location = { "volume_snapshots", "get" }, backup_repositories = { "repositories", "list" },
    backup_repository = { "repositories", "get" }, all_schedules_enabled = { "schedules", "all_enabled" },
    all_bsl_available = { "storage_locations", "all_available" },
  })
  return c
end

return M
