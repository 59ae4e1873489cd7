--- @module assay.k8s
--- @description Kubernetes: resources, secrets, pods, deployments, nodes and events.
--- @category kubernetes
--- @keywords kubernetes, k8s, pods, deployments, secrets, configmaps, logs, events
--- @env KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT
--- @quickref M.resources:get(ns, kind, name, opts?) -> object|nil | one of them
--- @quickref M.resources:is_ready(ns, kind, name, opts?) -> bool | its condition Ready
--- @quickref M.resources:all(ns, kind, opts?) -> iterator | every one, page by page
--- @quickref M.resources:apply(ns, kind, name, body, opts?) -> object | on the server; field_manager, force
--- @quickref M.resources:create(ns, kind, body, opts?) -> object | makes one
--- @quickref M.resources:delete(ns, kind, name, opts?) -> value | removes it
--- @quickref M.resources:exists(ns, kind, name, opts?) -> bool | whether it is there
--- @quickref M.resources:list(ns, kind, opts?) -> {items} | label_selector, field_selector, limit
--- @quickref M.resources:patch(ns, kind, name, body, opts?) -> object | a merge patch, or opts.content_type
--- @quickref M.resources:update(ns, kind, name, body, opts?) -> object | changes one
--- @quickref M.resources:wait_ready(ns, kind, name, seconds?, opts?) -> true | asks every 2 s, for 60 s
--- @quickref M.secrets:get(ns, name, opts?) -> {key = text} | decoded
--- @quickref M.configmaps:get(ns, name, opts?) -> {key = text} | data
--- @quickref M.pods:list(ns, opts?) -> {items} | every one
--- @quickref M.pods:logs(ns, pod, opts?) -> string | tail, container, previous, since
--- @quickref M.pods:status(ns, opts?) -> {running, pending, succeeded, failed, unknown, total} | how many are
--- @quickref M.services:endpoints(ns, name, opts?) -> [ip] | addresses
--- @quickref M.deployments:rollout_status(ns, name, opts?) -> {desired, updated, ready, available, complete} | progress
--- @quickref M.nodes:status(opts?) -> [{name, ready, roles, capacity, allocatable}] | every node
--- @quickref M.namespaces:exists(name, opts?) -> bool | whether it is there
--- @quickref M.events:list(ns, opts?) -> {items} | every one
--- @quickref M.events:for_resource(ns, kind, name, opts?) -> {items} | of one object
--- @quickref M.register_crd(kind, group, version, plural, cluster_scoped?) -> nil | makes a kind known
--- @quickref M.get(path, opts?) -> value | post, put, patch, delete: any path of the API
--- @quickref M.delete(path, opts?) -> value | any path of the API
--- @quickref M.patch(path, body, opts?) -> value | opts.content_type
--- @quickref M.post(path, body, opts?) -> value | any path of the API
--- @quickref M.put(path, body, opts?) -> value | any path of the API
local service = require("assay.client")
local crd = require("assay.crd")
local M = {}

local kinds = {}
local function add(prefix, names, cluster)
  for name, plural in pairs(names) do kinds[name] = { prefix = prefix, plural = plural, cluster = cluster } end
end
add("/api/v1", { pod = "pods", service = "services", secret = "secrets", configmap = "configmaps", endpoints = "endpoints",
  serviceaccount = "serviceaccounts", persistentvolumeclaim = "persistentvolumeclaims", pvc = "persistentvolumeclaims",
  limitrange = "limitranges", resourcequota = "resourcequotas", event = "events" })
add("/api/v1", { namespace = "namespaces", node = "nodes", persistentvolume = "persistentvolumes", pv = "persistentvolumes" }, true)
add("/apis/apps/v1", { deployment = "deployments", statefulset = "statefulsets", daemonset = "daemonsets", replicaset = "replicasets" })
add("/apis/batch/v1", { job = "jobs", cronjob = "cronjobs" })
add("/apis/networking.k8s.io/v1", { ingress = "ingresses", networkpolicy = "networkpolicies" })
add("/apis/networking.k8s.io/v1", { ingressclass = "ingressclasses" }, true)
add("/apis/storage.k8s.io/v1", { storageclass = "storageclasses" }, true)
add("/apis/rbac.authorization.k8s.io/v1", { role = "roles", rolebinding = "rolebindings" })
add("/apis/rbac.authorization.k8s.io/v1", { clusterrole = "clusterroles", clusterrolebinding = "clusterrolebindings" }, true)
add("/apis/autoscaling/v2", { hpa = "horizontalpodautoscalers", horizontalpodautoscaler = "horizontalpodautoscalers" })
add("/apis/policy/v1", { poddisruptionbudget = "poddisruptionbudgets", pdb = "poddisruptionbudgets" })

function M.register_crd(kind, group, version, plural, cluster_scoped)
  kinds[kind:lower()] = { prefix = service.path("apis", group, version), plural = plural, cluster = cluster_scoped }
end

local function paths_of(ns, kind)
  local known = kinds[tostring(kind):lower()]
  if not known then error("k8s: unknown kind " .. tostring(kind) .. ": k8s.register_crd makes it known", 4) end
  local path = known.prefix
  if ns and not known.cluster then path = path .. service.path("namespaces", ns) end
  return path .. service.path(known.plural)
end
-- The path of one object. Without a name it would be the path of all of them.
local function path_of(ns, kind, name, ...)
  if name == nil then error("k8s: the name of the " .. tostring(kind) .. " is missing", 0) end
  return paths_of(ns, kind) .. service.path(name, ...)
end

-- `token` is the service account's, where the policy opens it: fs of /var/run/secrets/kubernetes.io/serviceaccount.
local FOLDER <const> = "/var/run/secrets/kubernetes.io/serviceaccount"
local function sender(opts)
  opts = opts or {}
  local base, token = opts.base_url, opts.token
  if not base then
    local host = env.get("KUBERNETES_SERVICE_HOST")
    if not host then error("k8s: no server: give base_url, or run in a cluster whose KUBERNETES_SERVICE_HOST the policy opens", 0) end
    if host:find(":", 1, true) then host = "[" .. host .. "]" end
    base = "https://" .. host .. ":" .. (env.get("KUBERNETES_SERVICE_PORT") or "443")
    -- Read anew each time: the cluster changes it.
    token = token or fs.read(FOLDER .. "/token"):gsub("%s+$", "")
  end
  local _, s = service.new("k8s", base, { token = token, timeout = opts.timeout })
  return s
end

function M.get(path, opts) return sender(opts).get(path) end
function M.post(path, body, opts) return sender(opts).post(path, { body = body }) end
function M.put(path, body, opts) return sender(opts).put(path, { body = body }) end
function M.patch(path, body, opts)
  local kind = opts and opts.content_type or "application/merge-patch+json"
  return sender(opts).patch(path, { body = json.encode(body), headers = { ["Content-Type"] = kind } })
end
function M.delete(path, opts) return sender(opts).delete(path) end

local function get(ns, kind, name, opts) return sender(opts).get(path_of(ns, kind, name), { none = 404 }) end
local function list(ns, kind, opts)
  local o = opts or {}
  return sender(opts).get(paths_of(ns, kind), { query = { labelSelector = o.label_selector, fieldSelector = o.field_selector,
    limit = o.limit, continue = o.continue } })
end
-- Every object, page by page.
local function all(ns, kind, opts)
  return coroutine.wrap(function()
    local o = {}
    for key, value in pairs(opts or {}) do o[key] = value end
    o.limit = o.limit or 500
    repeat
      local page = list(ns, kind, o)
      for _, item in ipairs(page.items or {}) do coroutine.yield(item) end
      o.continue = page.metadata and page.metadata.continue
    until not o.continue or o.continue == ""
  end)
end

local PHASES <const> = { Active = true, Running = true, Bound = true, Ready = true }
local function is_ready(ns, kind, name, opts)
  local object = get(ns, kind, name, opts)
  if not object then return false end
  local status, k = object.status or {}, kind:lower()
  if k == "deployment" or k == "statefulset" then
    local wanted = object.spec and object.spec.replicas or 1
    return wanted > 0 and (status.readyReplicas or 0) >= wanted
  end
  if k == "daemonset" then
    local wanted = status.desiredNumberScheduled or 0
    return wanted > 0 and (status.numberReady or 0) >= wanted
  end
  if k == "job" then return (status.succeeded or 0) >= 1 end
  local ready = crd.condition(object, "Ready")
  if ready then return ready.status == "True" end
  return PHASES[status.phase] or false
end

M.resources = service.part {
  get = get, list = list, all = all, is_ready = is_ready,
  create = function(ns, kind, body, opts) return sender(opts).post(paths_of(ns, kind), { body = body }) end,
  update = function(ns, kind, name, body, opts) return sender(opts).put(path_of(ns, kind, name), { body = body }) end,
  patch = function(ns, kind, name, body, opts) return M.patch(path_of(ns, kind, name), body, opts) end,
  apply = function(ns, kind, name, body, opts)
    return sender(opts).patch(path_of(ns, kind, name), { body = json.encode(body), query = { fieldManager = opts and opts.field_manager or "kael",
      force = opts and opts.force and "true" or nil }, headers = { ["Content-Type"] = "application/apply-patch+yaml" } })
  end,
  delete = function(ns, kind, name, opts) return sender(opts).delete(path_of(ns, kind, name)) end,
  exists = function(ns, kind, name, opts) return get(ns, kind, name, opts) ~= nil end,
  wait_ready = function(ns, kind, name, seconds, opts)
    return service.wait("k8s", kind .. " " .. name .. " not ready", seconds or 60, 2, function() return is_ready(ns, kind, name, opts) end)
  end,
}
M.secrets = service.part {
  get = function(ns, name, opts)
    local found = get(ns, "secret", name, opts) or error("k8s: GET " .. path_of(ns, "secret", name) .. ": 404: there is no such secret", 0)
    local decoded = {}
    for key, value in pairs(found.data or {}) do decoded[key] = base64.decode(value) end
    return decoded
  end,
}
M.configmaps = service.part {
  get = function(ns, name, opts)
    local found = get(ns, "configmap", name, opts) or error("k8s: GET " .. path_of(ns, "configmap", name) .. ": 404: there is no such config map", 0)
    return found.data or {}
  end,
}
M.pods = service.part {
  list = function(ns, opts) return list(ns, "pod", opts) end,
  status = function(ns, opts)
    local counts = { running = 0, pending = 0, succeeded = 0, failed = 0, unknown = 0, total = 0 }
    for pod in all(ns, "pod", opts) do
      local phase = (pod.status and pod.status.phase or "Unknown"):lower()
      counts[counts[phase] and phase or "unknown"] = counts[counts[phase] and phase or "unknown"] + 1
      counts.total = counts.total + 1
    end
    return counts
  end,
  logs = function(ns, pod, opts)
    local o = opts or {}
    return sender(opts).get(path_of(ns, "pod", pod, "log"), { text = true, query = { tailLines = o.tail, container = o.container,
      previous = o.previous and "true" or nil, sinceSeconds = o.since } }) or ""
  end,
}
M.services = service.part {
  endpoints = function(ns, name, opts)
    local ips = {}
    local query = { labelSelector = "kubernetes.io/service-name=" .. name }
    local slices = sender(opts).get("/apis/discovery.k8s.io/v1" .. service.path("namespaces", ns, "endpointslices"), { query = query })
    for _, slice in ipairs(slices.items or {}) do
      for _, endpoint in ipairs(slice.endpoints or {}) do
        if not (endpoint.conditions and endpoint.conditions.ready == false) then
          for _, ip in ipairs(endpoint.addresses or {}) do ips[#ips + 1] = ip end
        end
      end
    end
    return ips
  end,
}
M.deployments = service.part {
  rollout_status = function(ns, name, opts)
    local found = get(ns, "deployment", name, opts) or error("k8s: GET " .. path_of(ns, "deployment", name) .. ": 404: there is no such deployment", 0)
    local status = found.status or {}
    local r = { desired = found.spec and found.spec.replicas or 1, updated = status.updatedReplicas or 0, ready = status.readyReplicas or 0,
      available = status.availableReplicas or 0, unavailable = status.unavailableReplicas or 0 }
    r.complete = r.updated == r.desired and r.ready == r.desired
    return r
  end,
}
M.nodes = service.part {
  status = function(opts)
    local nodes = {}
    for node in all(nil, "node", opts) do
      local roles, ready = {}, crd.condition(node, "Ready")
      for label in pairs(node.metadata.labels or {}) do
        local role = label:match("^node%-role%.kubernetes%.io/(.+)$")
        if role then roles[#roles + 1] = role end
      end
      table.sort(roles)
      nodes[#nodes + 1] = { name = node.metadata.name, ready = ready ~= nil and ready.status == "True", roles = roles,
        capacity = node.status and node.status.capacity, allocatable = node.status and node.status.allocatable }
    end
    return nodes
  end,
}
M.namespaces = service.part { exists = function(name, opts) return get(nil, "namespace", name, opts) ~= nil end }
M.events = service.part {
  list = function(ns, opts) return list(ns, "event", opts) end,
  for_resource = function(ns, kind, name, opts)
    local o = {}
    for key, value in pairs(opts or {}) do o[key] = value end
    o.field_selector = "involvedObject.kind=" .. kind .. ",involvedObject.name=" .. name
    return list(ns, "event", o)
  end,
}

-- The flat names of the first generation.
for name, way in pairs {
  get_resource = { "resources", "get" }, list = { "resources", "list" }, create = { "resources", "create" },
  update = { "resources", "update" }, patch_resource = { "resources", "patch" }, delete_resource = { "resources", "delete" },
  exists = { "resources", "exists" }, get_secret = { "secrets", "get" }, get_configmap = { "configmaps", "get" },
  list_pods = { "pods", "list" }, list_events = { "events", "list" }, pod_status = { "pods", "status" }, logs = { "pods", "logs" },
  is_ready = { "resources", "is_ready" }, wait_ready = { "resources", "wait_ready" }, service_endpoints = { "services", "endpoints" },
  rollout_status = { "deployments", "rollout_status" }, node_status = { "nodes", "status" },
  namespace_exists = { "namespaces", "exists" }, events_for = { "events", "for_resource" },
} do
  M[name] = function(...)
    local part = M[way[1]]
    return part[way[2]](part, ...)
  end
end

return M
