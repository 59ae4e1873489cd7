--- @module assay.kargo
--- @description Kargo: stages, freight, promotions, warehouses and projects.
--- @category kubernetes
--- @keywords kargo, gitops, promotion, stages, freight, warehouses, kubernetes
--- @quickref M.client(url, token, opts?) -> c | a token of the cluster
--- @quickref c.stages:list(project) -> [stage] | a project is a namespace
--- @quickref c.stages:all(project) -> iterator | page by page
--- @quickref c.stages:get(project, name) -> stage | raises where it is not there
--- @quickref c.stages:status(project, name) -> {phase, current_freight_id, health, conditions} | how it is
--- @quickref c.stages:is_healthy(project, name) -> bool | phase Steady, or the last condition is Healthy
--- @quickref c.stages:wait_healthy(project, name, seconds?) -> true | asks every 5 s, for 60 s
--- @quickref c.stages:pipeline_status(project) -> [{name, phase, freight, healthy}] | every stage
--- @quickref c.freight:list(project, opts?) -> [freight] | of a stage or a warehouse
--- @quickref c.freight:all(project, opts?) -> iterator | page by page
--- @quickref c.freight:get(project, name) -> freight | raises where it is not there
--- @quickref c.freight:status(project, name) -> status | where it is, and where it was verified
--- @quickref c.promotions:list(project, opts?) -> [promotion] | of a stage
--- @quickref c.promotions:all(project, opts?) -> iterator | page by page
--- @quickref c.promotions:get(project, name) -> promotion | raises where it is not there
--- @quickref c.promotions:status(project, name) -> {phase, message, freight_id} | how it went
--- @quickref c.promotions:create(project, stage, freight, opts?) -> promotion | opts.steps, where Kargo does not make them
--- @quickref c.warehouses:list(project) -> [warehouse] | what freight comes from
--- @quickref c.warehouses:all(project) -> iterator | page by page
--- @quickref c.warehouses:get(project, name) -> warehouse | raises where it is not there
--- @quickref c.projects:list() -> [project] | of the cluster
--- @quickref c.projects:all() -> iterator | page by page
--- @quickref c.projects:get(name) -> project | raises where it is not there
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

local function is_healthy(stage)
  local status = stage and stage.status or {}
  if status.phase == "Steady" then return true end
  local conditions = status.conditions or {}
  local last = conditions[#conditions]
  return last ~= nil and last.type == "Healthy" and last.status == "True"
end
-- The freight of a stage: of its latest entry in newer versions, `currentFreight` in older ones.
local function freight_of(status)
  local latest = status.freightHistory and status.freightHistory[1]
  if latest then
    local _, item = next(latest.items or {})
    return item and item.name or latest.id
  end
  local current = status.currentFreight
  return current and (current.name or current.id)
end

function M.client(url, token, opts)
  local c, s = crd.client("kargo", url, token, opts)
  local function kind(plural)
    local k = crd.kind(s, "kargo.akuity.io", "v1alpha1", plural)
    return {
      list = k.items, all = k.all,
      get = function(ns, name)
        local at = "/apis/kargo.akuity.io/v1alpha1" .. (ns and service.path("namespaces", ns) or "") .. "/" .. plural
        return k.get(ns, name) or error("kargo: GET " .. at .. service.path(name) .. ": 404: it is not there", 0)
      end,
    }, k
  end
  local stages, stage_kind = kind("stages")
  local function stage_healthy(ns, name) return is_healthy(stage_kind.get(ns, name)) end
  function stages.status(ns, name)
    local status = stages.get(ns, name).status or {}
    return { phase = status.phase, current_freight_id = freight_of(status), health = status.health, conditions = status.conditions or {} }
  end
  stages.is_healthy = stage_healthy
  function stages.wait_healthy(ns, name, seconds)
    return service.wait("kargo", "stage " .. name .. " not healthy", seconds or 60, 5, function() return stage_healthy(ns, name) end)
  end
  function stages.pipeline_status(ns)
    local found = {}
    for stage in stages.all(ns) do
      local status = stage.status or {}
      found[#found + 1] = { name = stage.metadata.name, phase = status.phase, freight = freight_of(status), healthy = is_healthy(stage) }
    end
    return found
  end
  c.stages = service.part(stages, "list")

  -- The lists of freight and promotions, of a stage or a warehouse.
  local function labelled(part)
    local list, all = part.list, part.all
    local function query(o)
      local labels = {}
      if o and o.stage then labels[#labels + 1] = "kargo.akuity.io/stage=" .. o.stage end
      if o and o.warehouse then labels[#labels + 1] = "kargo.akuity.io/warehouse=" .. o.warehouse end
      return labels[1] and { labelSelector = table.concat(labels, ",") } or nil
    end
    function part.list(ns, o) return list(ns, query(o)) end
    function part.all(ns, o) return all(ns, query(o)) end
    return part
  end
  local freight = labelled((kind("freights")))
  function freight.status(ns, name) return freight.get(ns, name).status or {} end
  c.freight = service.part(freight, "get")
  local promotions, promotion_kind = kind("promotions")
  labelled(promotions)
  function promotions.status(ns, name)
    local found = promotions.get(ns, name)
    local status = found.status or {}
    return { phase = status.phase, message = status.message, freight_id = status.freight and status.freight.name or found.spec and found.spec.freight }
  end
  function promotions.create(ns, stage, freight_name, o)
    return promotion_kind.create(ns, { apiVersion = "kargo.akuity.io/v1alpha1", kind = "Promotion",
      metadata = { generateName = stage .. "-", namespace = ns }, spec = { stage = stage, freight = freight_name, steps = o and o.steps } })
  end
  c.promotions = service.part(promotions, "list")
  c.warehouses = service.part((kind("warehouses")), "list")
  local projects = kind("projects")
  c.projects = service.part({
    list = function() return projects.list(nil) end,
    all = function() return projects.all(nil) end,
    get = function(name) return projects.get(nil, name) end,
  }, "list")
  service.flat(c, {
    stage = { "stages", "get" }, stage_status = { "stages", "status" }, is_stage_healthy = { "stages", "is_healthy" },
    wait_stage_healthy = { "stages", "wait_healthy" }, freight_list = { "freight", "list" }, freight_status = { "freight", "status" },
    promotion = { "promotions", "get" }, promotion_status = { "promotions", "status" }, promote = { "promotions", "create" },
    warehouse = { "warehouses", "get" }, project = { "projects", "get" }, pipeline_status = { "stages", "pipeline_status" },
  })
  return c
end

return M
