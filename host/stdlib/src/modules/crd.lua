--- @module assay.crd
--- @internal
--- @description What clients of Kubernetes' custom resources share.
local service = require("assay.client")
local crd = {}

--- The condition of an object that has this type.
function crd.condition(object, name)
  for _, one in ipairs(object and object.status and object.status.conditions or {}) do
    if one.type == name then return one end
  end
end

--- Whether a condition of an object is true; false for none.
function crd.is(object, name)
  local found = crd.condition(object, name)
  return found ~= nil and found.status == "True"
end

--- A client's requests for one kind: `list`, `get` and `all` in a namespace, or in none.
-- `versions` are tried in their order, where a cluster serves only some.
function crd.kind(s, group, versions, plural)
  if type(versions) == "string" then versions = { versions } end
  local known
  local function path(version, ns, name)
    local at = service.path("apis", group, version)
    if ns then at = at .. service.path("namespaces", ns) end
    return at .. service.path(plural) .. (name and service.path(name) or "")
  end
  local function get(ns, name, query)
    if known then return s.get(path(known, ns, name), { none = 404, query = query }) end
    for _, version in ipairs(versions) do
      local found = s.get(path(version, ns, name), { none = 404, query = query })
      if found then
        known = version
        return found
      end
    end
  end
  -- Every object, page by page.
  local function all(ns, query)
    return coroutine.wrap(function()
      local continue
      repeat
        local q = { limit = 500, continue = continue }
        for key, value in pairs(query or {}) do q[key] = value end
        local page = get(ns, nil, q) or {}
        for _, item in ipairs(page.items or {}) do coroutine.yield(item) end
        continue = page.metadata and page.metadata.continue
      until not continue or continue == ""
    end)
  end
  return {
    all = all,
    get = function(ns, name)
      -- Without a name the answer would be the list.
      if name == nil then error("the name of one of the " .. plural .. " is missing", 0) end
      return get(ns, name)
    end,
    list = function(ns, query) return get(ns, nil, query) or { items = {} } end,
    create = function(ns, body) return s.post(path(known or versions[1], ns), { body = body }) end,
    items = function(ns, query)
      local found = {}
      for item in all(ns, query) do found[#found + 1] = item end
      return found
    end,
  }
end

--- Counts of items by a test: { yes, no, total, names } under these names.
function crd.count(items, yes, no, names, test)
  local result = { [yes] = 0, [no] = 0, total = #items, [names] = json.array() }
  for _, item in ipairs(items) do
    if test(item) then
      result[yes] = result[yes] + 1
    else
      result[no] = result[no] + 1
      table.insert(result[names], item.metadata.name)
    end
  end
  return result
end

--- A client of a cluster's API at `url`, with a token.
function crd.client(name, url, token, opts)
  local options = type(token) == "table" and token or { token = token }
  for key, value in pairs(opts or {}) do options[key] = value end
  return service.new(name, url, options)
end

return crd
