--- @module assay.client
--- @internal
--- @description What the clients of services share: requests, errors, pages, waiting.
local client = {}

-- A text for one segment of a path: `a/b` is "a%2Fb".
function client.segment(text)
  if text == nil then error("a part of the path is nil", 0) end
  text = tostring(text)
  if text == "" then error("a part of the path is empty: a server reads it as another path", 0) end
  -- Some servers decode a `/` before they follow a path.
  for part in text:gmatch("[^/]+") do
    if part == "." or part == ".." then error("`" .. text .. "` is no name: a server reads it as another path", 0) end
  end
  return http.escape(text)
end

-- Segments as a path: `path("api", name)` is "/api/NAME".
function client.path(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = client.segment(parts[i]) end
  return "/" .. table.concat(parts, "/")
end

local function message_of(answer)
  local text = answer.body or ""
  local ok, value = pcall(json.decode, text)
  if ok and type(value) == "table" then
    local errors = value.errors
    local said = value.message or value.error_description or value.error or value.detail
      or type(errors) == "table" and (type(errors[1]) == "table" and (errors[1].message or errors[1].msg or errors[1].detail) or errors[1])
    if type(said) == "string" then return said end
    if type(said) == "table" and type(said.message) == "string" then return said.message end
  end
  return #text > 300 and text:sub(1, 300) .. "..." or text
end

--- A client of the service `name` at `url`, and what sends its requests.
-- `auth` makes the headers of options; without it `token` and `api_key` are bearers, and `username` with `password` is Basic.
function client.new(name, url, opts, auth)
  if type(url) ~= "string" or not url:find("^https?://") then
    error(name .. ".client: the URL must begin with http:// or https://, got " .. tostring(url), 3)
  end
  if opts ~= nil and type(opts) ~= "table" then error(name .. ".client: the options must be a table, got " .. type(opts), 3) end
  opts = opts or {}
  local c = { url = url:gsub("/+$", "") }
  local origin = c.url:match("^https?://[^/?#]+")
  local headers, basic = {}, nil
  if auth then
    for key, value in pairs(auth(opts)) do headers[key] = value end
  elseif opts.token or opts.api_key then
    headers.Authorization = "Bearer " .. (opts.token or opts.api_key)
  elseif opts.username then
    basic = { username = opts.username, password = opts.password }
  end
  for key, value in pairs(opts.headers or {}) do headers[key] = value end

  local s, begun = {}, false
  --- Sends a request; `how` has `query`, `body`, `headers`, `ok` (statuses beside 2xx), `none` (the status that means nil).
  -- `s.renew(again)`, where there is one, gives headers before the first request, and again when they were refused by 401.
  function s.answer(method, path, how)
    how = how or {}
    local target = path:find("^https?://") and path or c.url .. path
    local all = {}
    if how.auth ~= false then
      -- Another server would get the token.
      if target:match("^https?://[^/?#]+") ~= origin then
        error(name .. ": " .. method .. " " .. target .. ": this is another server than " .. tostring(origin), 0)
      end
      if s.renew and not begun then
        for key, value in pairs(s.renew(false)) do headers[key] = value end
        begun = true
      end
      for key, value in pairs(headers) do all[key] = value end
    end
    for key, value in pairs(how.headers or {}) do all[key] = value end
    local options = { headers = all, query = how.query, timeout = how.timeout or opts.timeout, retries = how.retries or opts.retries,
      auth = how.auth ~= false and basic or nil, max_bytes = opts.max_bytes }
    if type(how.body) == "table" then options.json = how.body elseif how.body then options.body = how.body end
    if how.form then options.form = how.form end
    local answer
    if method == "GET" or method == "DELETE" or method == "HEAD" then
      answer = http[method:lower()](target, options)
    else
      answer = http[method:lower()](target, nil, options)
    end
    local status = answer.status
    if status >= 200 and status < 300 then return answer end
    if status == 401 and s.renew and how.auth ~= false and not how.renewed then
      -- Once, with the headers of a new token.
      for key, value in pairs(s.renew(true)) do headers[key] = value end
      local again = { renewed = true }
      for key, value in pairs(how) do again[key] = value end
      return s.answer(method, path, again)
    end
    for _, also in ipairs(how.ok or {}) do
      if status == also then return answer end
    end
    if how.none == status then return nil end
    error(name .. ": " .. method .. " " .. path .. ": " .. status .. ": " .. message_of(answer), 0)
  end
  --- The same, with the JSON of the answer as a value; nil for an empty one.
  function s.request(method, path, how)
    local answer = s.answer(method, path, how)
    if not answer or answer.body == "" or answer.status == 204 then return nil end
    if how and how.text then return answer.body end
    local ok, value = pcall(json.decode, answer.body)
    if not ok then error(name .. ": " .. method .. " " .. path .. ": the answer is no JSON", 0) end
    return value, answer
  end
  for _, method in ipairs { "get", "post", "put", "patch", "delete" } do
    s[method] = function(path, how) return s.request(method:upper(), path, how) end
  end
  --- Iterates over all elements of a list that comes in pages, which `Link` names.
  function s.all(path, how, field)
    return coroutine.wrap(function()
      local next_path, first = path, how
      while next_path do
        local list, answer = s.get(next_path, first)
        for _, element in ipairs(field and list[field] or list or {}) do coroutine.yield(element) end
        local link = answer and answer.headers.link or ""
        next_path = link:match('<([^>]+)>%s*;%s*rel="?next"?')
        -- A link may be without its server.
        if next_path and next_path:find("^/[^/]") then next_path = origin .. next_path end
        first = how and { headers = how.headers }
      end
    end)
  end
  return c, s
end

--- A part of a client, `c.alerts`. `c:alerts(...)` is its method `flat`, or else `list`, where it has one.
function client.part(methods, flat)
  local part = {}
  flat = flat or methods.list and "list"
  for name, method in pairs(methods) do
    part[name] = function(_, ...) return method(...) end
  end
  if flat then
    local method = methods[flat]
    setmetatable(part, { __call = function(_, _, ...) return method(...) end })
  end
  return part
end

--- Flat names of a client for methods of its parts: { "is_firing" = { "alerts", "is_firing" } }.
function client.flat(c, names)
  for name, way in pairs(names) do
    if c[name] == nil then
      local part, method = way[1], way[2]
      c[name] = function(_, ...) return c[part][method](c[part], ...) end
    end
  end
end

--- Functions of a module that take the address first: { query = { "queries", "instant" } } makes M.query(url, ...) of
--- M.client(url).queries:instant(...).
function client.functions(module, names)
  for name, way in pairs(names) do
    module[name] = function(url, ...)
      local part = module.client(url)[way[1]]
      return part[way[2]](part, ...)
    end
  end
end

--- Asks until the answer is true: the answer, or an error after so many seconds. A second value says why waiting is in vain.
function client.wait(name, what, seconds, interval, ask)
  local deadline = time() + seconds
  local last
  while true do
    local ok, value, vain = pcall(ask)
    if ok and value then return value end
    if ok and vain then error(name .. ": " .. vain, 0) end
    if not ok then
      -- What was refused or is wrong does not change by waiting.
      local kind = type(value) == "table" and value.kind
      if kind == "denied" or kind == "invalid_params" then error(value, 0) end
      last = value
    end
    if time() + interval > deadline then
      error(name .. ": " .. what .. " after " .. seconds .. "s" .. (last and ": " .. tostring(last) or ""), 0)
    end
    sleep(interval)
  end
end

return client
