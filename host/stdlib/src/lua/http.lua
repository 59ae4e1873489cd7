-- `http`: requests by the actions `kael.http.get` and the others, which the policy opens.
local kael = ...
local act, fail, encode, decode, nearest, null = kael.act, kael.fail, kael.encode, kael.decode, kael.nearest, kael.null
local http = {}

local function shown(value) return type(value) == "string" and "'" .. value .. "'" or type(value) end

local function escaped(text)
  return (tostring(text):gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end
local function sorted(t)
  local list = {}
  for key in next, t do list[#list + 1] = tostring(key) end
  table.sort(list)
  return list
end
-- `a=1&b=x&b=y` of { a = 1, b = { "x", "y" } }, encoded and sorted.
local function form(t)
  local parts = {}
  for _, key in ipairs(sorted(t)) do
    local value = t[key]
    if type(value) == "table" then
      for _, one in ipairs(value) do parts[#parts + 1] = escaped(key) .. "=" .. escaped(one) end
    elseif value ~= nil and value ~= null then
      parts[#parts + 1] = escaped(key) .. "=" .. escaped(value)
    end
  end
  return table.concat(parts, "&")
end

local function quoted(text) return (text:gsub('[\r\n"]', function(c) return ("%%%02X"):format(c:byte()) end)) end
local function multipart(parts)
  local boundary = ("kael%08x%08x%08x"):format(math.random(0, 0xFFFFFFFF), math.random(0, 0xFFFFFFFF), math.random(0, 0xFFFFFFFF))
  local out = {}
  for i, part in ipairs(parts) do
    if type(part) ~= "table" or type(part.name) ~= "string" then
      fail("http: part " .. i .. " of `multipart` must be a table with `name` and `value`")
    end
    local head = '--' .. boundary .. '\r\nContent-Disposition: form-data; name="' .. quoted(part.name) .. '"'
    if part.filename then head = head .. '; filename="' .. quoted(tostring(part.filename)) .. '"' end
    if part.type then head = head .. "\r\nContent-Type: " .. quoted(tostring(part.type)) end
    out[#out + 1] = head .. "\r\n\r\n" .. tostring(part.value or "") .. "\r\n"
  end
  return table.concat(out) .. "--" .. boundary .. "--\r\n", "multipart/form-data; boundary=" .. boundary
end

local OPTIONS = { "headers", "body", "json", "form", "multipart", "query", "timeout", "redirects", "follow_redirects", "max_bytes",
  "retries", "auth", "on_event", "idle_timeout" }
local known = {}
for _, name in ipairs(OPTIONS) do known[name] = true end

local function has_header(headers, wanted)
  for name in next, headers do
    if type(name) == "string" and name:lower() == wanted then return true end
  end
end

local answer_mt = {}
answer_mt.__index = {
  -- The body as a Lua value.
  json = function(self)
    local ok, value = decode(self.body)
    if not ok then error("the answer of " .. self.url .. " is no JSON: " .. tostring(value), 2) end
    return value
  end,
  -- Every value of a header, in their order.
  header_list = function(self, name)
    name = name:lower()
    local several = self.repeated and self.repeated[name]
    return several or { self.headers[name] }
  end,
}

-- Gives the events of an answer to a function, until that returns "close" or the server ends.
local function follow(what, answer, on_event, idle)
  local stream, quiet = answer.stream, 0
  local closing <close> = setmetatable({}, { __close = function()
    if stream then act("kael.http.close", { stream = stream }) end
  end })
  while true do
    local wait = math.min(idle - quiet, 30)
    local got = act("kael.http.read", { stream = stream, wait = wait })
    if got.done then stream = nil end
    for _, event in ipairs(got.events) do
      if on_event(event) == "close" then return end
    end
    if got.done then return end
    quiet = got.quiet and quiet + wait or 0
    if quiet >= idle then error(what .. ": the server has sent nothing for " .. idle .. " s (`idle_timeout`)", 3) end
  end
end

local function request(what, method, url, body, opts, level, path)
  if type(url) ~= "string" then error(what .. ": the URL must be a string, got " .. type(url), level) end
  if opts ~= nil and type(opts) ~= "table" then
    error(what .. ": the options must be a table such as { headers = {} }, got " .. type(opts), level)
  end
  opts = opts or {}
  for name in next, opts do
    if not known[name] then
      local near = type(name) == "string" and nearest(name, OPTIONS)
      error(what .. ": no option " .. shown(name) .. (near and " (did you mean '" .. near .. "'?)" or
        " (there are: " .. table.concat(OPTIONS, ", ") .. ")"), level)
    end
  end
  local headers = {}
  if opts.headers ~= nil and type(opts.headers) ~= "table" then
    error(what .. ": `headers` must be a table of texts, got " .. type(opts.headers), level)
  end
  for name, value in next, opts.headers or {} do
    if type(value) == "number" then value = tostring(value) end
    headers[tostring(name)] = value
  end
  if path ~= nil and type(path) ~= "string" then error(what .. ": the path of a file must be a string, got " .. type(path), level) end
  local params = { url = url, path = path, headers = next(headers) and headers or nil, timeout = opts.timeout, redirects = opts.redirects,
    max_bytes = opts.max_bytes, retries = opts.retries }
  if opts.follow_redirects == false then params.redirects = 0 end
  if opts.query ~= nil then
    local query = type(opts.query) == "table" and form(opts.query) or tostring(opts.query)
    local before, fragment = url:match("^([^#]*)(.*)$")
    if query ~= "" then params.url = before .. (before:find("?", 1, true) and "&" or "?") .. query .. fragment end
  end
  local default
  if body == nil then body = opts.body end
  if opts.json ~= nil then body = { json = opts.json } elseif type(body) == "table" then body = { json = body } end
  if type(body) == "table" then
    local text, wrong = encode(body.json, false)
    if not text then error(what .. ": the body cannot be JSON: " .. wrong, level) end
    body, default = text, "application/json"
  elseif opts.form ~= nil then
    body, default = form(opts.form), "application/x-www-form-urlencoded"
  elseif opts.multipart ~= nil then
    body, default = multipart(opts.multipart)
  end
  if body ~= nil then
    if type(body) == "number" then body = tostring(body) end
    if type(body) ~= "string" then error(what .. ": the body must be a string or a table, got " .. type(body), level) end
    if utf8.len(body) then params.body = body else params.bytes = as_chars(body) end
    if default and not has_header(headers, "content-type") then
      headers["Content-Type"] = default
      params.headers = headers
    end
  end
  local auth = opts.auth
  if auth ~= nil then
    if type(auth) ~= "table" or not (auth.token or auth.username) then
      error(what .. ": `auth` is { token = … } or { username = …, password = … }", level)
    end
    if auth.token then
      headers.Authorization = "Bearer " .. auth.token
      params.headers = headers
    else
      params.basic = { username = auth.username, password = auth.password or "" }
    end
  end
  if opts.on_event ~= nil then
    if type(opts.on_event) ~= "function" then error(what .. ": `on_event` must be a function, got " .. type(opts.on_event), level) end
    params.events = true
    if not has_header(headers, "accept") then
      headers.Accept = "text/event-stream"
      params.headers = headers
    end
  end
  local idle = opts.idle_timeout or 300
  if type(idle) ~= "number" or not (idle > 0) then error(what .. ": `idle_timeout` must be a number of seconds", level) end
  local answer = act("kael.http." .. method, params)
  if answer.stream then
    follow(what, answer, opts.on_event, idle)
    answer.stream = nil
  end
  if path then return answer end
  if answer.bytes then answer.body, answer.bytes = as_bytes(answer.bytes), nil end
  return setmetatable(answer, answer_mt)
end

for _, method in ipairs { "get", "delete", "head", "options" } do
  http[method] = function(url, opts) return request("http." .. method, method, url, nil, opts, 2) end
end
for _, method in ipairs { "post", "put", "patch" } do
  http[method] = function(url, body, opts) return request("http." .. method, method, url, body, opts, 2) end
end

-- Writes the answer to a file. Returns its size; a status that is no success is an error, and leaves nothing.
function http.download(url, path, opts)
  if path == nil then fail("http.download: expected the path of a file, got nil") end
  if type(opts) == "table" and opts.max_size then
    local renamed = {}
    for name, value in next, opts do renamed[name == "max_size" and "max_bytes" or name] = value end
    opts = renamed
  end
  local answer = request("http.download", "download", url, nil, opts, 2, path)
  if math.type(answer.bytes) ~= "integer" then error("http.download: GET " .. url .. ": status " .. answer.status, 2) end
  return answer.bytes
end

-- A client whose requests have these options unless they have their own.
function http.client(defaults)
  if defaults ~= nil and type(defaults) ~= "table" then fail("http.client: the options must be a table, got " .. type(defaults)) end
  local client = {}
  local function with(opts)
    local all = {}
    for key, value in next, defaults or {} do all[key] = value end
    for key, value in next, opts or {} do
      if key == "headers" and type(all.headers) == "table" and type(value) == "table" then
        local headers = {}
        for name, text in next, all.headers do headers[name] = text end
        for name, text in next, value do headers[name] = text end
        value = headers
      end
      all[key] = value
    end
    return all
  end
  for _, method in ipairs { "get", "delete", "head", "options" } do
    client[method] = function(_, url, opts) return request("client:" .. method, method, url, nil, with(opts), 2) end
  end
  for _, method in ipairs { "post", "put", "patch" } do
    client[method] = function(_, url, body, opts) return request("client:" .. method, method, url, body, with(opts), 2) end
  end
  return client
end

-- A text for a path or a query, and a table as a query.
http.escape, http.form = escaped, form

return http
