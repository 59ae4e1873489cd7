--- @module assay.ory.keto
--- @description Ory Keto: relation tuples, checks of permissions, and roles.
--- @category security
--- @keywords ory, keto, permissions, relations, roles, authorization
--- @quickref M.client(read_url, opts?) -> c | opts.write_url for what changes tuples; opts.token
--- @quickref c.tuples:list(filters?) -> {relation_tuples, next_page_token} | namespace, object, relation, subject_id, page_size, page_token
--- @quickref c.tuples:all(filters?) -> iterator | every tuple that fits, page by page
--- @quickref c.tuples:create(tuple) -> tuple | also where it is already
--- @quickref c.tuples:upsert(tuple) -> state, count | "noop" or "created"
--- @quickref c.tuples:delete(tuple) -> true | this one
--- @quickref c.tuples:delete_all(filters) -> true | every tuple that fits
--- @quickref c.permissions:check(namespace, object, relation, subject) -> bool | a subject is an id, or namespace, object, relation
--- @quickref c.permissions:batch_check(list) -> [bool] | tuples, in their order
--- @quickref c.permissions:expand(namespace, object, relation, depth?) -> tree|nil | whom a relation has
--- @quickref c.roles:user_roles(user, namespace?) -> [{object, relation}] | in which a user is a member
--- @quickref c.roles:has_any(user, objects, namespace?) -> bool | whether in one of them
local service = require("assay.client")
local M = {}

-- A tuple or a filter as a query: subject sets by dotted names.
local function query_of(filters)
  local query = {}
  for key, value in pairs(filters or {}) do
    if key == "subject_set" and type(value) == "table" then
      for part, text in pairs(value) do query["subject_set." .. part] = text end
    else
      query[key] = value
    end
  end
  return query
end
-- What narrows a deletion. Keto passes over other names, and without one of these deletes every tuple.
local NARROWS <const> = { namespace = true, object = true, relation = true, subject_id = true, ["subject_set.namespace"] = true,
  ["subject_set.object"] = true, ["subject_set.relation"] = true }
local function deletion(filters)
  local query, narrow = query_of(filters), false
  for key, value in pairs(query) do
    if not NARROWS[key] then error("keto: delete: `" .. tostring(key) .. "` is no filter of tuples", 0) end
    if type(value) ~= "string" and type(value) ~= "number" then
      error("keto: delete: `" .. key .. "` must be a text, got " .. type(value), 0)
    end
    -- A subject set of a whole object has an empty relation.
    if value == "" and key ~= "subject_set.relation" then error("keto: delete: `" .. key .. "` is empty", 0) end
    narrow = narrow or value ~= ""
  end
  if not narrow then error("keto: delete needs a filter: without one Keto deletes every tuple", 0) end
  return query
end
local function with_subject(tuple, subject)
  if type(subject) == "table" then
    tuple.subject_set = { namespace = subject.namespace, object = subject.object, relation = subject.relation or "" }
  else
    tuple.subject_id = subject
  end
  return tuple
end

function M.client(read_url, opts)
  opts = opts or {}
  local c, s = service.new("keto", read_url, { token = opts.token, timeout = opts.timeout })
  local w = setmetatable({}, { __index = function() error("keto: write_url is missing", 4) end })
  if opts.write_url then
    local _
    _, w = service.new("keto", opts.write_url, { token = opts.token, timeout = opts.timeout })
  end
  local function list(filters) return s.get("/relation-tuples", { query = query_of(filters) }) end
  local function all(filters)
    return coroutine.wrap(function()
      local query = query_of(filters)
      query.page_size = query.page_size or 250
      repeat
        local page = s.get("/relation-tuples", { query = query })
        for _, tuple in ipairs(page.relation_tuples or {}) do coroutine.yield(tuple) end
        query.page_token = page.next_page_token
      until not query.page_token or query.page_token == ""
    end)
  end
  local function create(tuple) return w.put("/admin/relation-tuples", { body = tuple }) end
  local function delete(filters)
    w.delete("/admin/relation-tuples", { query = deletion(filters) })
    return true
  end
  c.tuples = service.part({
    list = list, all = all, create = create, delete = delete, delete_all = delete,
    upsert = function(tuple)
      for _ in all(tuple) do return "noop", 0 end
      create(tuple)
      return "created", 1
    end,
  })
  local function check(namespace, object, relation, subject)
    local tuple
    if type(namespace) == "table" then
      tuple = namespace
      if tuple.subject then tuple = with_subject({ namespace = tuple.namespace, object = tuple.object, relation = tuple.relation }, tuple.subject) end
    else
      tuple = with_subject({ namespace = namespace, object = object, relation = relation }, subject)
    end
    local answer = s.get("/relation-tuples/check", { query = query_of(tuple), ok = { 403 } })
    return answer ~= nil and answer.allowed == true
  end
  c.permissions = service.part({
    check = check,
    batch_check = function(tuples)
      local found = {}
      for i, tuple in ipairs(tuples) do found[i] = check(tuple) end
      return found
    end,
    expand = function(namespace, object, relation, depth)
      local query = { namespace = namespace, object = object, relation = relation, ["max-depth"] = depth or 3 }
      return s.get("/relation-tuples/expand", { query = query, none = 404 })
    end,
  }, "check")
  local function user_roles(user, namespace)
    local roles = {}
    for tuple in all({ namespace = namespace or "Role", relation = "members", subject_id = "user:" .. user }) do
      roles[#roles + 1] = { object = tuple.object, relation = tuple.relation }
    end
    return roles
  end
  c.roles = service.part({
    user_roles = user_roles,
    has_any = function(user, objects, namespace)
      local wanted = {}
      for _, object in ipairs(objects) do wanted[object] = true end
      for _, role in ipairs(user_roles(user, namespace)) do
        if wanted[role.object] then return true end
      end
      return false
    end,
  }, "user_roles")
  service.flat(c, {
    list = { "tuples", "list" }, create = { "tuples", "create" }, delete = { "tuples", "delete" }, delete_all = { "tuples", "delete_all" },
    check = { "permissions", "check" }, batch_check = { "permissions", "batch_check" }, expand = { "permissions", "expand" },
    get_user_roles = { "roles", "user_roles" }, user_has_any_role = { "roles", "has_any" },
  })
  return c
end

return M
