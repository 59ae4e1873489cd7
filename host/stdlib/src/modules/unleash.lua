--- @module assay.unleash
--- @description Unleash: projects, environments, feature toggles, strategies and tokens.
--- @category development
--- @keywords unleash, feature flags, toggles, strategies, tokens
--- @quickref M.client(url, opts?) -> c | token
--- @quickref c.health:check() -> health | of the server
--- @quickref c.projects:list() -> [project] | every one
--- @quickref c.projects:create(project) -> project | makes one
--- @quickref c.projects:delete(id) -> true | removes one
--- @quickref c.projects:get(id) -> project|nil | one of them
--- @quickref c.projects:update(id, project) -> project | changes one
--- @quickref c.environments:list() -> [environment] | every one
--- @quickref c.environments:disable(project, env) -> true | of a project
--- @quickref c.environments:enable(project, env) -> true | of a project
--- @quickref c.features:list(project) -> [feature] | every one
--- @quickref c.features:archive(project, name) -> true | archives it
--- @quickref c.features:create(project, fields) -> feature | makes one
--- @quickref c.features:get(project, name) -> feature|nil | one of them
--- @quickref c.features:toggle_off(project, name, env) -> true | off in an environment
--- @quickref c.features:toggle_on(project, name, env) -> true | on in an environment
--- @quickref c.features:update(project, name, fields) -> feature | changes one
--- @quickref c.strategies:list(project, feature, env) -> [strategy] | every one
--- @quickref c.strategies:add(project, name, env, strategy) -> strategy | adds one
--- @quickref c.tokens:list() -> [token] | every one
--- @quickref c.tokens:create(token) -> token | makes one
--- @quickref c.tokens:delete(secret) -> true | removes one
--- @quickref M.ensure_project(c, id, opts?) -> project | finds it or makes it
--- @quickref M.ensure_environment(c, project, env) -> true | also where it is on
--- @quickref M.ensure_token(c, wanted) -> token | finds it by its name, or makes it
--- @quickref M.wait(url, opts?) -> true | timeout, interval
local service = require("assay.client")
local M = {}

function M.client(url, opts)
  local c, s = service.new("unleash", url, opts, function(o) return { Authorization = o.token } end)
  local function api(...) return "/api/admin" .. service.path(...) end
  local function list(path, field)
    local found = s.get(path, { none = 404 }) or {}
    return found[field] or found
  end
  local function done(method, path, body)
    s.answer(method, path, { body = body })
    return true
  end
  c.health = service.part({ check = function() return s.get("/health", { auth = false }) end }, "check")
  c.projects = service.part({
    list = function() return list(api("projects"), "projects") end,
    get = function(id) return s.get(api("projects", id), { none = 404 }) end,
    create = function(project) return s.post(api("projects"), { body = project }) end,
    update = function(id, project) return s.put(api("projects", id), { body = project }) end,
    delete = function(id) return done("DELETE", api("projects", id)) end,
  }, "list")
  c.environments = service.part({
    list = function() return list(api("environments"), "environments") end,
    enable = function(project, env) return done("POST", api("projects", project, "environments"), { environment = env }) end,
    disable = function(project, env) return done("DELETE", api("projects", project, "environments", env)) end,
  }, "list")
  local function feature(project, ...) return api("projects", project, "features", ...) end
  local function toggle(state)
    return function(project, name, env) return done("POST", feature(project, name, "environments", env, state)) end
  end
  c.features = service.part({
    list = function(project) return list(feature(project), "features") end,
    get = function(project, name) return s.get(feature(project, name), { none = 404 }) end,
    create = function(project, body) return s.post(feature(project), { body = body }) end,
    update = function(project, name, body) return s.put(feature(project, name), { body = body }) end,
    archive = function(project, name) return done("DELETE", feature(project, name)) end,
    toggle_on = toggle("on"), toggle_off = toggle("off"),
  }, "list")
  local function strategies(project, name, env) return feature(project, name, "environments", env, "strategies") end
  c.strategies = service.part({
    list = function(project, name, env) return list(strategies(project, name, env), "strategies") end,
    add = function(project, name, env, strategy) return s.post(strategies(project, name, env), { body = strategy }) end,
  }, "list")
  c.tokens = service.part({
    list = function() return list(api("api-tokens"), "tokens") end,
    create = function(token) return s.post(api("api-tokens"), { body = token }) end,
    delete = function(secret) return done("DELETE", api("api-tokens", secret)) end,
  }, "list")
  service.flat(c, {
    project = { "projects", "get" }, create_project = { "projects", "create" }, update_project = { "projects", "update" },
    delete_project = { "projects", "delete" }, enable_environment = { "environments", "enable" },
    disable_environment = { "environments", "disable" }, feature = { "features", "get" }, create_feature = { "features", "create" },
    update_feature = { "features", "update" }, archive_feature = { "features", "archive" }, toggle_on = { "features", "toggle_on" },
    toggle_off = { "features", "toggle_off" }, add_strategy = { "strategies", "add" }, create_token = { "tokens", "create" },
    delete_token = { "tokens", "delete" },
  })
  return c
end

function M.wait(url, opts)
  opts = opts or {}
  local _, s = service.new("unleash", url, opts, function() return {} end)
  return service.wait("unleash", url .. " not ready", opts.timeout or 60, opts.interval or 2, function()
    return s.answer("GET", "/health").status == 200
  end)
end

function M.ensure_project(c, id, opts)
  local found = c.projects:get(id)
  if found then return found end
  opts = opts or {}
  log.info("unleash: makes project " .. id)
  return c.projects:create({ id = id, name = opts.name or id, description = opts.description or "" })
end

function M.ensure_environment(c, project, env)
  local ok, wrong = pcall(function() return c.environments:enable(project, env) end)
  if ok or tostring(wrong):find(": 409: ", 1, true) then return true end
  error(wrong, 0)
end

function M.ensure_token(c, wanted)
  local name = wanted.tokenName or wanted.username
  for _, token in ipairs(c.tokens:list()) do
    if (token.tokenName or token.username) == name then return token end
  end
  log.info("unleash: makes token " .. tostring(name))
  return c.tokens:create(wanted)
end

return M
