--- @module assay.gitlab
--- @description GitLab: projects, files, commits, merge requests, pipelines, jobs, releases, issues and more.
--- @category development
--- @keywords gitlab, projects, merge requests, pipelines, jobs, issues, releases, registry
--- @quickref M.client(url, opts?) -> c | token or oauth_token
--- @quickref c.projects:list(query?) -> [project] | every one
--- @quickref c.projects:all(opts?) -> iterator | every one, page by page
--- @quickref c.projects:get(id) -> project|nil | one of them
--- @quickref c.files:get(project, path, opts?) -> file|nil | one of them
--- @quickref c.files:create(project, path, opts) -> file | branch, content, commit_message
--- @quickref c.files:delete(project, path, opts) -> true | branch, commit_message
--- @quickref c.files:raw(project, path, opts?) -> string | its text; opts.ref
--- @quickref c.files:update(project, path, opts) -> file | branch, content, commit_message
--- @quickref c.repository:tree(project, opts?) -> [entry] | files of a folder
--- @quickref c.repository:compare(project, from, to) -> comparison | what changed between them
--- @quickref c.commits:list(project, query?) -> [commit] | every one
--- @quickref c.commits:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.commits:cherry_pick(project, sha, opts) -> commit | opts.branch
--- @quickref c.commits:create(project, fields) -> commit | makes one
--- @quickref c.commits:get(project, id) -> commit|nil | one of them
--- @quickref c.branches:list(project) -> [branch] | every one, or a page
--- @quickref c.branches:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.branches:create(project, fields) -> branch | makes one
--- @quickref c.branches:delete(project, id) -> true | removes one
--- @quickref c.branches:get(project, id) -> branch|nil | one of them
--- @quickref c.merge_requests:list(project, query?) -> [mr] | every one
--- @quickref c.merge_requests:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.merge_requests:approve(project, iid, opts?) -> approval | approves it
--- @quickref c.merge_requests:changes(project, iid, opts?) -> [change] | what it changes
--- @quickref c.merge_requests:create(project, fields) -> merge_request | makes one
--- @quickref c.merge_requests:create_note(project, iid, body) -> note | says something
--- @quickref c.merge_requests:get(project, id) -> merge_request|nil | one of them
--- @quickref c.merge_requests:merge(project, iid, opts?) -> merge_request | merges it
--- @quickref c.merge_requests:notes(project, iid, opts?) -> [note] | what was said
--- @quickref c.merge_requests:update(project, id, fields) -> merge_request | changes one
--- @quickref c.pipelines:list(project, query?) -> [pipeline] | every one
--- @quickref c.pipelines:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.pipelines:cancel(project, id) -> pipeline | ends it
--- @quickref c.pipelines:create(project, fields) -> pipeline | makes one
--- @quickref c.pipelines:delete(project, id) -> true | removes one
--- @quickref c.pipelines:get(project, id) -> pipeline|nil | one of them
--- @quickref c.pipelines:jobs(project, id, opts?) -> [job] | of a pipeline
--- @quickref c.pipelines:retry(project, id) -> pipeline | runs it again
--- @quickref c.jobs:list(project, query?) -> [job] | every one
--- @quickref c.jobs:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.jobs:cancel(project, id) -> job | ends it
--- @quickref c.jobs:get(project, id) -> job|nil | one of them
--- @quickref c.jobs:log(project, id) -> string | what it printed
--- @quickref c.jobs:retry(project, id) -> job | runs it again
--- @quickref c.releases:list(project) -> [release] | every one
--- @quickref c.releases:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.releases:create(project, fields) -> release | makes one
--- @quickref c.releases:delete(project, id) -> true | removes one
--- @quickref c.releases:get(project, id) -> release|nil | one of them
--- @quickref c.releases:update(project, id, fields) -> release | changes one
--- @quickref c.issues:list(project?, query?) -> [issue] | every one
--- @quickref c.issues:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.issues:create(project, fields) -> issue | makes one
--- @quickref c.issues:create_note(project, iid, body) -> note | says something
--- @quickref c.issues:get(project, id) -> issue|nil | one of them
--- @quickref c.issues:notes(project, iid, opts?) -> [note] | what was said
--- @quickref c.issues:update(project, id, fields) -> issue | changes one
--- @quickref c.groups:list(query?) -> [group] | every one
--- @quickref c.groups:all(opts?) -> iterator | every one, page by page
--- @quickref c.groups:get(id) -> group|nil | one of them
--- @quickref c.groups:projects(id, opts?) -> [project] | of a group
--- @quickref c.registry:repositories(project) -> [repository] | tags, tag, delete_tag
--- @quickref c.registry:delete_tag(project, id, name) -> true | removes it
--- @quickref c.registry:tag(project, id, name) -> tag|nil | one of them
--- @quickref c.registry:tags(project, id) -> [tag] | of a repository of images
--- @quickref c.hooks:list(project) -> [hook] | every one
--- @quickref c.hooks:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.hooks:create(project, fields) -> hook | makes one
--- @quickref c.hooks:delete(project, id) -> true | removes one
--- @quickref c.hooks:get(project, id) -> hook|nil | one of them
--- @quickref c.hooks:update(project, id, fields) -> hook | changes one
--- @quickref c.users:current() -> user | whose token it is
--- @quickref c.users:list(opts?) -> [user] | every one
--- @quickref c.environments:list(project) -> [environment] | every one, or a page
--- @quickref c.environments:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.environments:get(project, id) -> environment|nil | one of them
--- @quickref c.deploy_tokens:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.deploy_tokens:create(project, fields) -> token | makes one
--- @quickref c.deploy_tokens:delete(project, id) -> true | removes one
--- @quickref c.deploy_tokens:list(project, opts?) -> [token] | every one
--- @quickref c.tags:all(project, opts?) -> iterator | every one, page by page
--- @quickref c.tags:create(project, fields) -> tag | makes one
--- @quickref c.tags:delete(project, id) -> true | removes one
--- @quickref c.tags:get(project, id) -> tag|nil | one of them
--- @quickref c.tags:list(project, opts?) -> [tag] | every one
local service = require("assay.client")
local M = {}

-- A list becomes `name[]=a&name[]=b`.
local function listed(query)
  local made = {}
  for key, value in pairs(query or {}) do
    made[type(value) == "table" and key .. "[]" or key] = value
  end
  return made
end

function M.client(url, opts)
  opts = opts or {}
  local c, s = service.new("gitlab", url, opts, function()
    if opts.oauth_token then return { Authorization = "Bearer " .. opts.oauth_token } end
    return { ["PRIVATE-TOKEN"] = opts.token }
  end)
  local function api(...) return "/api/v4" .. service.path(...) end
  local function project(id, ...) return api("projects", id, ...) end
  local function get(path, query) return s.get(path, { query = listed(query), none = 404 }) end
  local function list(path, query) return s.get(path, { query = listed(query) }) end
  local function post(path, body) return s.post(path, { body = body or {} }) end
  local function put(path, body) return s.put(path, { body = body or {} }) end
  local function delete(path, body) s.delete(path, { body = body }) return true end

  -- list, all, get, create, update and delete of what lies below a project.
  local function below(...)
    local names = { ... }
    local function base(p, ...) return project(p, table.unpack(names)) .. (select("#", ...) > 0 and service.path(...) or "") end
    return {
      list = function(p, query) return list(base(p), query) end,
      all = function(p, query) return s.all(base(p), { query = listed(query) }) end,
      get = function(p, id) return get(base(p, id)) end,
      create = function(p, body) return post(base(p), body) end,
      update = function(p, id, body) return put(base(p, id), body) end,
      delete = function(p, id) return delete(base(p, id)) end,
    }, base
  end
  local function notes(methods, base)
    methods.notes = function(p, id, query) return list(base(p, id, "notes"), query) end
    methods.create_note = function(p, id, body) return post(base(p, id, "notes"), { body = body }) end
  end
  local function only(methods, ...)
    local kept = {}
    for _, name in ipairs { ... } do kept[name] = methods[name] end
    return kept
  end

  c.projects = service.part {
    list = function(query) return list(api("projects"), query) end,
    all = function(query) return s.all(api("projects"), { query = listed(query) }) end,
    get = function(id) return get(project(id)) end,
  }
  local function file(p, path, ...) return project(p, "repository", "files", path, ...) end
  c.files = service.part {
    get = function(p, path, o) return get(file(p, path), { ref = o and o.ref or "main" }) end,
    raw = function(p, path, o) return s.get(file(p, path, "raw"), { query = { ref = o and o.ref or "main" }, none = 404, text = true }) end,
    create = function(p, path, o) return post(file(p, path), o) end,
    update = function(p, path, o) return put(file(p, path), o) end,
    delete = function(p, path, o) return delete(file(p, path), o) end,
  }
  c.repository = service.part {
    tree = function(p, o) return list(project(p, "repository", "tree"), o) end,
    compare = function(p, from, to) return list(project(p, "repository", "compare"), { from = from, to = to }) end,
  }
  local commits, commit = below("repository", "commits")
  commits.cherry_pick = function(p, sha, o) return post(commit(p, sha, "cherry_pick"), o) end
  c.commits = service.part(only(commits, "list", "all", "get", "create", "cherry_pick"))
  c.branches = service.part(only((below("repository", "branches")), "list", "all", "get", "create", "delete"))
  c.tags = service.part(only((below("repository", "tags")), "list", "all", "get", "create", "delete"))
  local requests, request = below("merge_requests")
  requests.merge = function(p, iid, o) return put(request(p, iid, "merge"), o) end
  requests.approve = function(p, iid, o) return post(request(p, iid, "approve"), o) end
  requests.changes = function(p, iid) return list(request(p, iid, "diffs")) end
  notes(requests, request)
  requests.delete = nil
  c.merge_requests = service.part(requests)
  local pipelines, pipeline = below("pipelines")
  pipelines.create = function(p, o) return post(project(p, "pipeline"), o) end
  pipelines.cancel = function(p, id) return post(pipeline(p, id, "cancel")) end
  pipelines.retry = function(p, id) return post(pipeline(p, id, "retry")) end
  pipelines.jobs = function(p, id, query) return list(pipeline(p, id, "jobs"), query) end
  pipelines.update = nil
  c.pipelines = service.part(pipelines)
  local jobs, job = below("jobs")
  c.jobs = service.part {
    list = jobs.list, all = jobs.all, get = jobs.get,
    retry = function(p, id) return post(job(p, id, "retry")) end,
    cancel = function(p, id) return post(job(p, id, "cancel")) end,
    log = function(p, id) return s.get(job(p, id, "trace"), { text = true }) end,
  }
  c.releases = service.part((below("releases")))
  local issues, issue = below("issues")
  local of_project = issues.list
  issues.list = function(p, query)
    if p == nil then return list(api("issues"), query) end
    return of_project(p, query)
  end
  notes(issues, issue)
  issues.delete = nil
  c.issues = service.part(issues)
  c.groups = service.part {
    list = function(query) return list(api("groups"), query) end,
    all = function(query) return s.all(api("groups"), { query = listed(query) }) end,
    get = function(id) return get(api("groups", id)) end,
    projects = function(id, query) return list(api("groups", id, "projects"), query) end,
  }
  local function registry(p, ...) return project(p, "registry", "repositories", ...) end
  c.registry = service.part {
    repositories = function(p) return list(registry(p)) end,
    tags = function(p, id) return list(registry(p, id, "tags")) end,
    tag = function(p, id, name) return get(registry(p, id, "tags", name)) end,
    delete_tag = function(p, id, name) return delete(registry(p, id, "tags", name)) end,
  }
  c.hooks = service.part((below("hooks")))
  c.users = service.part {
    current = function() return list(api("user")) end,
    list = function(query) return list(api("users"), query) end,
  }
  c.environments = service.part(only((below("environments")), "list", "all", "get"))
  c.deploy_tokens = service.part(only((below("deploy_tokens")), "list", "all", "create", "delete"))
  return c
end

return M
