--- @module assay.github
--- @description GitHub: pull requests, issues, repositories, workflow runs and GraphQL.
--- @category development
--- @keywords github, pulls, issues, actions, graphql, repositories
--- @env GITHUB_TOKEN
--- @quickref M.client(opts?) -> c | token, base_url
--- @quickref c.pulls:get(repo, number) -> pull|nil | one of them
--- @quickref c.pulls:all(repo, opts?) -> iterator | every one, page by page
--- @quickref c.pulls:list(repo, opts?) -> [pull] | every one
--- @quickref c.pulls:merge(repo, number, opts?) -> pull | merges it
--- @quickref c.pulls:reviews(repo, number) -> [review] | of a pull request
--- @quickref c.issues:list(repo, opts?) -> [issue] | every one
--- @quickref c.issues:all(repo, opts?) -> iterator | every one, page by page
--- @quickref c.issues:create(repo, title, body, opts?) -> issue | labels, assignees, milestone
--- @quickref c.issues:create_note(repo, number, body) -> comment | says something
--- @quickref c.issues:get(repo, number) -> issue|nil | one of them
--- @quickref c.repos:get(repo) -> repository|nil | repo is "owner/name"
--- @quickref c.runs:list(repo, opts?) -> {total_count, workflow_runs} | every one
--- @quickref c.runs:all(repo, opts?) -> iterator | every one, page by page
--- @quickref c.runs:get(repo, id) -> run|nil | one of them
--- @quickref c:graphql(query, variables) -> {data} | raises on errors
--- @quickref M.latest_release(owner, repo, opts?) -> release | with `version`, the tag without v
--- @quickref M.find_asset(release, lua_pattern) -> asset|nil | by its name
--- @quickref M.fetch_asset_bytes(asset, opts?) -> string | any bytes
--- @quickref M.fetch_asset_text(asset, opts?) -> string | UTF-8 alone
--- @quickref M.release_checksum(release, opts) -> string|nil | asset_pattern; of the file NAME.sha256 beside it
local service = require("assay.client")
local M = {}

local function at(repo, ...)
  local owner, name = tostring(repo):match("^([^/]+)/([^/]+)$")
  if not owner then error('github: the repository must be "owner/name", got ' .. tostring(repo), 4) end
  return service.path("repos", owner, name, ...)
end

function M.client(opts)
  opts = opts or {}
  local token = opts.token
  if token == nil then
    local ok, found = pcall(env.get, "GITHUB_TOKEN")
    token = ok and found or nil
  end
  local c, s = service.new("github", opts.base_url or "https://api.github.com", opts, function()
    return { Accept = "application/vnd.github+json", ["X-GitHub-Api-Version"] = "2022-11-28",
      Authorization = token and "Bearer " .. token or nil }
  end)
  c.pulls = service.part {
    get = function(repo, n) return s.get(at(repo, "pulls", n), { none = 404 }) end,
    list = function(repo, o) return s.get(at(repo, "pulls"), { query = o }) end,
    all = function(repo, o) return s.all(at(repo, "pulls"), { query = o }) end,
    reviews = function(repo, n) return s.get(at(repo, "pulls", n, "reviews")) end,
    merge = function(repo, n, o) return s.put(at(repo, "pulls", n, "merge"), { body = o or {} }) end,
  }
  c.issues = service.part {
    list = function(repo, o) return s.get(at(repo, "issues"), { query = o }) end,
    all = function(repo, o) return s.all(at(repo, "issues"), { query = o }) end,
    get = function(repo, n) return s.get(at(repo, "issues", n), { none = 404 }) end,
    create = function(repo, title, body, o)
      local issue = { title = title, body = body }
      for key, value in pairs(o or {}) do issue[key] = value end
      return s.post(at(repo, "issues"), { body = issue })
    end,
    create_note = function(repo, n, body) return s.post(at(repo, "issues", n, "comments"), { body = { body = body } }) end,
  }
  c.repos = service.part { get = function(repo) return s.get(at(repo), { none = 404 }) end }
  c.runs = service.part {
    list = function(repo, o) return s.get(at(repo, "actions", "runs"), { query = o }) end,
    all = function(repo, o) return s.all(at(repo, "actions", "runs"), { query = o }, "workflow_runs") end,
    get = function(repo, id) return s.get(at(repo, "actions", "runs", id), { none = 404 }) end,
  }
  function c.graphql(_, query, variables)
    local answer = s.post("/graphql", { body = { query = query, variables = variables } })
    if answer.errors and #answer.errors > 0 then
      error("github: POST /graphql: 200: " .. tostring(answer.errors[1].message), 0)
    end
    return answer
  end
  service.flat(c, {
    pr_view = { "pulls", "get" }, pr_list = { "pulls", "list" }, pr_reviews = { "pulls", "reviews" }, pr_merge = { "pulls", "merge" },
    issue_list = { "issues", "list" }, issue_get = { "issues", "get" }, issue_create = { "issues", "create" },
    issue_comment = { "issues", "create_note" }, repo_get = { "repos", "get" }, runs_list = { "runs", "list" },
    run_get = { "runs", "get" },
  })
  c.send = s
  return c
end

function M.latest_release(owner, repo, opts)
  local release = M.client(opts).send.get(service.path("repos", owner, repo, "releases", "latest"))
  release.version = release.tag_name:gsub("^v", "")
  return release
end

function M.find_asset(release, pattern)
  for _, asset in ipairs(release.assets or {}) do
    if asset.name:find(pattern) then return asset end
  end
end

--- The bytes of an asset. With a token they come by way of the API, without one from where everybody gets them.
-- GitHub redirects to a server of its own, which needs a grant, too, and gets no token.
function M.fetch_asset_bytes(asset, opts)
  opts = opts or {}
  local api, url = type(asset) == "table" and asset.url, type(asset) == "table" and (asset.browser_download_url or asset.url)
  if type(url) ~= "string" then error("github: the asset has no browser_download_url", 2) end
  local headers = { Accept = "application/octet-stream" }
  if opts.token and type(api) == "string" then return M.client(opts).send.answer("GET", api, { headers = headers }).body end
  local answer = http.get(url, { headers = headers, timeout = opts.timeout, max_bytes = opts.max_bytes })
  if answer.status ~= 200 then error("github: GET " .. url .. ": " .. answer.status .. ": the asset is not there", 0) end
  return answer.body
end

function M.fetch_asset_text(asset, opts)
  local text = M.fetch_asset_bytes(asset, opts)
  if not utf8.len(text) then error("github: the asset " .. tostring(asset.name) .. " is no UTF-8 text: use fetch_asset_bytes", 2) end
  return text
end

--- The checksum of an asset, from the file beside it that has its name and the digest's.
function M.release_checksum(release, opts)
  opts = opts or {}
  local asset = M.find_asset(release, opts.asset_pattern or ".")
  if not asset then return nil end
  local digest, beside = opts.digest or "sha256", nil
  for _, one in ipairs(release.assets or {}) do
    if one.name == asset.name .. "." .. digest then beside = one end
  end
  if not beside then return nil end
  local text = M.fetch_asset_text(beside, opts)
  local found = text:match("^%s*(%x+)")
  if not found then error("github: " .. beside.name .. " does not begin with a checksum", 0) end
  return found:lower()
end

return M
