-- `env`: the variables that the policy opens. One that is bound to servers is a stand-in, whose value
-- the host puts into the headers of requests to those servers.
local kael = ...
local act, fail = kael.act, kael.fail
local env, own = {}, {}

-- The value of a variable, or nil.
function env.get(name)
  if type(name) ~= "string" then fail("env.get: the name must be a string, got " .. type(name)) end
  if own[name] ~= nil then return own[name] or nil end
  local value = act("kael.env.get", { name = name })
  if value == kael.null then return nil end
  return value
end

-- Sets a variable for this script alone.
function env.set(name, value)
  if type(name) ~= "string" then fail("env.set: the name must be a string, got " .. type(name)) end
  own[name] = value == nil and false or tostring(value)
end

-- The variables that the policy opens, and those that the script has set: { key, value } each.
function env.list()
  local list = {}
  for _, one in ipairs(act("kael.env.list", {})) do
    if own[one.key] == nil then list[#list + 1] = one end
  end
  for name, value in next, own do
    if value then list[#list + 1] = { key = name, value = value } end
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

return env
