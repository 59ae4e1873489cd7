--- @module assay.ory.rbac
--- @description Roles with capabilities, whose members Ory Keto keeps.
--- @category security
--- @keywords ory, keto, rbac, roles, capabilities, members
--- @quickref M.policy(opts) -> p | namespace, keto, roles = {NAME = {rank, capabilities}}, default_role
--- @quickref p.users:roles(user) -> [string] | by rank, the highest first
--- @quickref p.users:primary_role(user) -> string|nil | the highest, or default_role
--- @quickref p.users:capabilities(user) -> [string] | of all roles
--- @quickref p.users:has_capability(user, capability) -> bool | in one of them
--- @quickref p.members:add(user, role) -> true | also who is a member already
--- @quickref p.members:remove(user, role) -> true | also who is none
--- @quickref p.members:list(role) -> [string] | the users of a role
--- @quickref p.members:list_all() -> {role = [string]} | of every role
--- @quickref p.members:reset(role) -> true | removes all
--- @quickref p.policy:roles() -> [{name, rank, capabilities, label, description}] | by rank
--- @quickref p.policy:get(role) -> role | one of them
--- @quickref p.middleware:require_capability(capability, handler) -> handler | 401 without req.user_id, 403 without the capability
local service = require("assay.client")
local M = {}

function M.policy(opts)
  if type(opts) ~= "table" or type(opts.namespace) ~= "string" or type(opts.roles) ~= "table" or not opts.keto then
    error("rbac.policy: `namespace`, `keto` and `roles` are needed", 2)
  end
  if opts.default_role and not opts.roles[opts.default_role] then
    error("rbac.policy: default_role " .. opts.default_role .. " is not one of the roles", 2)
  end
  local keto, prefix = opts.keto, opts.namespace .. ":"
  local p = {}
  local function role(name)
    local found = opts.roles[name]
    if not found then
      error("rbac: no role " .. tostring(name) .. " (there are: " .. table.concat(keys(opts.roles), ", ") .. ")", 4)
    end
    return { name = name, rank = found.rank or 0, capabilities = found.capabilities or {}, label = found.label, description = found.description }
  end
  local function by_rank(names)
    table.sort(names, function(a, b)
      local one, other = opts.roles[a].rank or 0, opts.roles[b].rank or 0
      if one ~= other then return one > other end
      return a < b
    end)
    return names
  end
  local function tuple(user, name) return { namespace = "Role", object = prefix .. name, relation = "members", subject_id = "user:" .. user } end

  local function roles(user)
    local names = {}
    for _, one in ipairs(keto.roles:user_roles(user)) do
      local name = one.object:sub(1, #prefix) == prefix and one.object:sub(#prefix + 1)
      -- Roles of other policies in the same Keto do not count.
      if name and opts.roles[name] then names[#names + 1] = name end
    end
    return by_rank(names)
  end
  local function capabilities(user)
    local names = roles(user)
    if #names == 0 and opts.default_role then names = { opts.default_role } end
    local seen, found = {}, {}
    for _, name in ipairs(names) do
      for _, capability in ipairs(opts.roles[name].capabilities or {}) do
        if not seen[capability] then
          seen[capability] = true
          found[#found + 1] = capability
        end
      end
    end
    return found
  end
  local function has(user, capability)
    for _, one in ipairs(capabilities(user)) do
      if one == capability then return true end
    end
    return false
  end
  p.users = service.part {
    roles = roles, capabilities = capabilities, has_capability = has,
    primary_role = function(user) return roles(user)[1] or opts.default_role end,
  }
  local function members(name)
    role(name)
    local users = {}
    for one in keto.tuples:all({ namespace = "Role", object = prefix .. name, relation = "members" }) do
      local user = (one.subject_id or ""):match("^user:(.*)$")
      if user then users[#users + 1] = user end
    end
    table.sort(users)
    return users
  end
  p.members = service.part({
    list = members,
    add = function(user, name)
      role(name)
      keto.tuples:upsert(tuple(user, name))
      return true
    end,
    remove = function(user, name)
      role(name)
      local ok, wrong = pcall(function() return keto.tuples:delete(tuple(user, name)) end)
      if not ok and not tostring(wrong):find(": 404: ", 1, true) then error(wrong, 0) end
      return true
    end,
    list_all = function()
      local all = {}
      for _, name in ipairs(keys(opts.roles)) do all[name] = members(name) end
      return all
    end,
    reset = function(name)
      role(name)
      return keto.tuples:delete_all({ namespace = "Role", object = prefix .. name, relation = "members" })
    end,
  })
  p.policy = service.part({
    get = function(name) return role(name) end,
    roles = function()
      local found = {}
      for i, name in ipairs(by_rank(keys(opts.roles))) do found[i] = role(name) end
      return found
    end,
  }, "get")
  p.middleware = service.part {
    require_capability = function(capability, handler)
      return function(req)
        if not req.user_id then return { status = 401, json = { error = "not authenticated" } } end
        if not has(req.user_id, capability) then return { status = 403, json = { error = "missing capability: " .. capability } } end
        return handler(req)
      end
    end,
  }
  return p
end

return M
