-- Runs a file of checks: `inputs.checks` is its text, and `inputs["file:PATH"]` the scripts that it names. Prints one JSON
-- document, and ends with 1 when a check failed.
local FILE <const> = arg[0]
local function wrong(text) error(FILE .. ": " .. text, 0) end

local function seconds(value, name, default)
  if value == nil then return default end
  if type(value) == "number" then return value end
  local number, unit = tostring(value):match("^([%d.]+)(%a+)$")
  local factor = ({ ms = 0.001, s = 1, m = 60, h = 3600 })[unit or ""]
  if not tonumber(number) or not factor then wrong("`" .. name .. "` must be a time such as 500ms, 30s or 5m") end
  return tonumber(number) * factor
end

local function known(t, names, what)
  if type(t) ~= "table" then wrong(what .. " must be a table") end
  for key in pairs(t) do
    if not (" " .. names .. " "):find(" " .. tostring(key) .. " ", 1, true) then
      wrong(what .. " has no key `" .. tostring(key) .. "` (there are: " .. names .. ")")
    end
  end
end

local read, config = pcall(yaml.parse, inputs.checks)
if not read then wrong((tostring(config):gsub("^yaml.parse: ", ""):gsub("^[^:]*:%d+: yaml.parse: ", ""))) end
known(config, "timeout retries backoff parallel checks", "the file")
local limit = seconds(config.timeout, "timeout", 120)
local backoff = seconds(config.backoff, "backoff", 5)
if type(config.checks) ~= "table" or #config.checks == 0 then wrong("`checks` must be a list of checks") end

-- `.a.b == ok` of Assay is a text without quotes; everything else is a filter of jq.
local function filter_of(text)
  local path, literal = tostring(text):match("^%s*(%.[%w_%.%[%]]*)%s*==%s*(.-)%s*$")
  if path and not literal:find('^"') and not tonumber(literal) and literal ~= "true" and literal ~= "false" and literal ~= "null" then
    return path .. " == " .. json.encode(literal)
  end
  return text
end

local kinds = {}

function kinds.http(check)
  local expect = check.expect or {}
  local options = { headers = check.headers, timeout = seconds(check.timeout, "timeout", 30), follow_redirects = check.follow_redirects }
  local method, start = (check.method or "GET"):lower(), time()
  local answer
  if method == "post" or method == "put" or method == "patch" then
    answer = http[method](check.url, check.body, options)
  elseif http[method] then
    options.body = check.body
    answer = http[method](check.url, options)
  else
    return false, "no method " .. check.method, true
  end
  local took = (time() - start) * 1000
  if expect.status then
    if answer.status ~= expect.status then return false, "expected status " .. expect.status .. ", got " .. answer.status end
  elseif answer.status < 200 or answer.status > 299 then
    return false, "expected 2xx, got " .. answer.status
  end
  if expect.body and not answer.body:find(expect.body, 1, true) then
    return false, 'body does not contain "' .. expect.body .. '"'
  end
  for name, value in pairs(expect.headers or {}) do
    if answer.headers[name:lower()] ~= tostring(value) then
      return false, "expected header " .. name .. ": " .. tostring(value) .. ", got " .. tostring(answer.headers[name:lower()])
    end
  end
  local filters = expect.json
  if type(filters) == "string" then filters = { filters } end
  for _, text in ipairs(filters or {}) do
    local ok, value = pcall(json.decode, answer.body)
    if not ok then return false, "the body is no JSON" end
    local ran, holds = pcall(jq, value, filter_of(text))
    if not ran then return false, "JSON expression failed: " .. tostring(holds), true end
    if not holds then return false, "JSON expression failed: " .. text end
  end
  local most = seconds(expect.latency, "latency")
  if most and took > most * 1000 then return false, ("took %d ms, more than %d ms"):format(took // 1, most * 1000 // 1) end
  return true
end

function kinds.prometheus(check)
  local client = require("assay.prometheus").client(check.url, { headers = check.headers, timeout = seconds(check.timeout, "timeout", 30) })
  local value = client.queries:instant(check.query)
  if type(value) == "table" then value = value[1] and value[1].value end
  if type(value) ~= "number" then return false, "the query has no result" end
  local expect = check.expect or {}
  if expect.min and value < expect.min then return false, "expected at least " .. expect.min .. ", got " .. value end
  if expect.max and value > expect.max then return false, "expected at most " .. expect.max .. ", got " .. value end
  return true, not check.expect and "value " .. value or nil
end

function kinds.script(check)
  local source = inputs["file:" .. tostring(check.file)]
  if not source then return false, "no file " .. tostring(check.file), true end
  local extra = check.env or {}
  local own = { get = function(name) if extra[name] ~= nil then return tostring(extra[name]) end return env.get(name) end,
    set = function(name, value) extra[name] = value end, list = env.list }
  local main, err = load(source, "@" .. check.file, "t", setmetatable({ env = own }, { __index = _G }))
  if not main then return false, err, true end
  main()
  return true
end

local FIELDS <const> = {
  http = "name type url method headers body timeout retries follow_redirects expect",
  prometheus = "name type url query headers timeout retries expect", script = "name type file env timeout retries",
}
for i, check in ipairs(config.checks) do
  local what = "check " .. i
  if type(check) ~= "table" or type(check.name) ~= "string" then wrong(what .. " needs a `name`") end
  if not FIELDS[check.type] then wrong(what .. ": `type` must be http, prometheus or script") end
  known(check, FIELDS[check.type], what .. " (" .. check.name .. ")")
  seconds(check.timeout, "timeout")
  for _, key in ipairs(check.type == "http" and { "url" } or check.type == "prometheus" and { "url", "query" } or { "file" }) do
    if type(check[key]) ~= "string" then wrong(what .. " (" .. check.name .. ") needs `" .. key .. "`") end
  end
end

local begun = time()
local results = json.array()
for i, check in ipairs(config.checks) do
  results[i] = { name = check.name, passed = false, attempts = 0, duration_ms = 0, message = "global timeout of " .. limit .. "s exceeded" }
end

local function run(i)
  local check, result, start = config.checks[i], results[i], time()
  local retries = check.retries or config.retries or 3
  repeat
    result.attempts = result.attempts + 1
    local ok, passed, message, final = pcall(kinds[check.type], check)
    if not ok then
      local kind = type(passed) == "table" and passed.kind
      passed, message, final = false, tostring(passed), kind == "denied" or kind == "invalid_params"
    end
    if passed or final or result.attempts > retries then
      result.passed, result.message = passed, message or json.null
      result.duration_ms = math.floor((time() - start) * 1000)
      return
    end
    sleep(backoff * result.attempts)
  until false
end

race(function()
  if config.parallel then
    local branches = {}
    for i in ipairs(config.checks) do branches[i] = function() run(i) end end
    parallel(branches)
  else
    for i in ipairs(config.checks) do run(i) end
  end
end, function() sleep(limit) end)

local passed = true
for _, result in ipairs(results) do passed = passed and result.passed end
print(json.pretty({ passed = passed, checks = results, duration_ms = math.floor((time() - begun) * 1000) }))
os.exit(passed and 0 or 1)
