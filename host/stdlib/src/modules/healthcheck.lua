--- @module assay.healthcheck
--- @description Checks of URLs: status, body, JSON, latency, and waiting for a service.
--- @category monitoring
--- @keywords health, check, http, status, latency, wait
--- @quickref M.http(url, opts?) -> {ok, status, latency_ms, error?} | expected_status, method, body, headers
--- @quickref M.json_path(url, path, expected, opts?) -> {ok, actual, expected, error?} | a value of a JSON answer
--- @quickref M.status_code(url, status, opts?) -> {ok, status, error?} | one status
--- @quickref M.body_contains(url, text, opts?) -> {ok, found, error?} | a literal text
--- @quickref M.endpoint(url, opts?) -> {ok, status, latency_ms, error?} | max_latency_ms, expected_status
--- @quickref M.multi(checks) -> {ok, results, passed, failed, total} | { name, check } each
--- @quickref M.wait(url, opts?) -> {ok, status, attempts} | timeout, interval, expect_status
local M = {}

local function ask(url, opts)
  opts = opts or {}
  local method = (opts.method or "GET"):lower()
  local options = { headers = opts.headers, timeout = opts.timeout }
  local start = time()
  local ok, answer
  if method == "get" or method == "delete" or method == "head" then
    options.body = opts.body
    ok, answer = pcall(http[method], url, options)
  else
    ok, answer = pcall(http[method], url, opts.body, options)
  end
  return ok, answer, (time() - start) * 1000
end
-- A refusal of the policy is no state of the service.
local function failed(err)
  if type(err) == "table" and (err.kind == "denied" or err.kind == "invalid_params") then error(err, 0) end
  return tostring(err)
end

function M.http(url, opts)
  local expected = opts and opts.expected_status or 200
  local ok, answer, latency = ask(url, opts)
  if not ok then return { ok = false, status = 0, latency_ms = latency, error = failed(answer) } end
  local good = answer.status == expected
  return { ok = good, status = answer.status, latency_ms = latency,
    error = not good and ("expected status " .. expected .. ", got " .. answer.status) or nil }
end

function M.json_path(url, path, expected, opts)
  local ok, answer = ask(url, opts)
  if not ok then return { ok = false, expected = expected, error = failed(answer) } end
  local read, value = pcall(json.decode, answer.body)
  if not read then return { ok = false, expected = expected, error = "the answer is no JSON" } end
  for key in path:gmatch("[^.]+") do
    if type(value) ~= "table" then value = nil break end
    if value[key] ~= nil then value = value[key] else value = value[tonumber(key) or key] end
  end
  local same = pcall(assert.eq, value, expected)
  return { ok = same, actual = value, expected = expected,
    error = not same and ("expected " .. tostring(expected) .. " at " .. path .. ", got " .. tostring(value)) or nil }
end

function M.status_code(url, status, opts)
  local all = { expected_status = status }
  for key, value in pairs(opts or {}) do all[key] = value end
  local found = M.http(url, all)
  return { ok = found.ok, status = found.status, error = found.error }
end

function M.body_contains(url, text, opts)
  local ok, answer = ask(url, opts)
  if not ok then return { ok = false, found = false, error = failed(answer) } end
  local found = answer.body:find(text, 1, true) ~= nil
  return { ok = found, found = found, error = not found and "the body does not contain the text" or nil }
end

function M.endpoint(url, opts)
  local found = M.http(url, opts)
  local most = opts and opts.max_latency_ms or 5000
  if found.ok and found.latency_ms > most then
    found.ok, found.error = false, ("it took %d ms, more than %d ms"):format(found.latency_ms // 1, most)
  end
  return found
end

function M.multi(checks)
  local results, passed = {}, 0
  for i, one in ipairs(checks) do
    local ok, result = pcall(one.check)
    if not ok then result = { ok = false, error = tostring(result) } end
    if type(result) ~= "table" then result = { ok = result and true or false } end
    result.name = one.name
    results[i] = result
    if result.ok then passed = passed + 1 end
  end
  return { ok = passed == #results, results = results, passed = passed, failed = #results - passed, total = #results }
end

function M.wait(url, opts)
  opts = opts or {}
  local timeout, interval, expected = opts.timeout or 60, opts.interval or 2, opts.expect_status or 200
  local deadline, attempts, last = time() + timeout, 0, nil
  repeat
    attempts = attempts + 1
    local found = M.http(url, { expected_status = expected, headers = opts.headers })
    if found.ok then return { ok = true, status = found.status, attempts = attempts } end
    last = found.error
    if time() + interval > deadline then break end
    sleep(interval)
  until false
  error("healthcheck: " .. url .. " not ready after " .. timeout .. "s: " .. tostring(last), 2)
end

return M
