-- A rule: a predicate whose functions are called for every event of a batch.
local kael = ...
local type, tostring, error, next, rawget, rawset, rawlen, xpcall, pairs, getmetatable, setmetatable, floor =
  type, tostring, error, next, rawget, rawset, rawlen, xpcall, pairs, getmetatable, setmetatable, math.floor
local kestrel0, next_event, check_event, event_time, mark, attach =
  kael.kestrel, kael.next_event, kael.check_event, kael.event_time, kael.mark, kael.attach
local report, reported, staged, fail, encode, find, concat, sub =
  kael.report, kael.reported, kael.staged, kael.fail, kael.encode, string.find, table.concat, string.sub
local randomseed, time0, date0, _G = math.randomseed, os.time, os.date, _G

local MATCH <const>, ERROR <const>, EMITTED <const> = 1, 2, 4
-- Kinds of texts, as host/engine/src/sandbox/events.rs has them.
local CAPTURES <const>, CAPTURE_ERROR <const>, EVAL_ERROR <const> = 1, 2, 3
local MAX_CAPTURES <const>, MAX_SAVED <const> = 65536, 1048576

-- What a script has and a rule has not: there is nothing to call, and nothing to wait for.
local ABSENT <const> = {
  "actions", "parallel", "race", "pump", "report", "require", "sleep", "input", "inputs", "package", "arg", "define_action", "mcp_server",
  "secret", "base64", "crypto", "db", "env", "fs", "http", "log", "regex", "toml", "yaml",
  "now", "runs", "status", "wait_for",
}

local names, functions, emitted = {}, {}, false
local capture, capture_after, save, restore

-- A store by key for predicates that remember: bounded, without the oldest entries, by the time of
-- events.
local function cache(options)
  if options ~= nil and type(options) ~= "table" then
    fail("cache: the options must be a table such as { max = 10000, ttl_ms = 60000 }, got " .. type(options))
  end
  for key in next, options or {} do
    if key ~= "max" and key ~= "ttl_ms" then fail("cache: no option '" .. tostring(key) .. "' (there are: max, ttl_ms)") end
  end
  local max, ttl = options and options.max or 10000, options and options.ttl_ms
  if type(max) ~= "number" or max < 1 then fail("cache: max must be a number of at least 1") end
  if ttl ~= nil and (type(ttl) ~= "number" or ttl <= 0) then fail("cache: ttl_ms must be a number above 0") end
  ttl = ttl and floor(ttl * 1000000)
  -- `places` has the place of a key in `order`; both hold only what is there.
  local values, places, times, order = {}, {}, {}, {}
  local first, last, count = 1, 0, 0
  local function remove(key)
    order[places[key]] = nil
    values[key], places[key], times[key] = nil, nil, nil
    count = count - 1
  end
  return setmetatable({}, {
    __index = function(_, key)
      local at = times[key]
      if at == nil then return nil end
      if ttl and event_time() - at > ttl then return remove(key) end
      return values[key]
    end,
    __newindex = function(_, key, value)
      if key == nil then error("cache: the key is nil", 2) end
      if places[key] then remove(key) end
      if value == nil then return end
      last, count = last + 1, count + 1
      values[key], places[key], times[key], order[last] = value, last, event_time(), key
      while count > max do
        while order[first] == nil do first = first + 1 end
        remove(order[first])
      end
      if count == 1 then first = last end
    end,
    __len = function() return count end,
  })
end

local function said_of(err)
  local made = reported(err)
  if #made.traceback == 0 then return made.message end
  return made.message .. "\n  " .. concat(made.traceback, "\n  ")
end

local function take_captures(handle)
  local ok, value = xpcall(capture, report, handle)
  if not ok then return attach(CAPTURE_ERROR, said_of(value)) end
  if type(value) ~= "table" then
    return attach(CAPTURE_ERROR, "pred_capture must return a table, got " .. type(value))
  end
  local text, err
  if next(value) == nil then text = "{}" else text, err = encode(value, false) end
  if not text then return attach(CAPTURE_ERROR, "the captures are not JSON: " .. err) end
  if sub(text, 1, 1) ~= "{" then return attach(CAPTURE_ERROR, "the keys of the captures must be strings") end
  if #text > MAX_CAPTURES then
    return attach(CAPTURE_ERROR, "the captures are " .. #text .. " bytes of JSON (allowed: " .. MAX_CAPTURES .. ")")
  end
  attach(CAPTURES, text)
end

-- What a function said of the current event, if it was not simply no.
local captured = false
local function settle(at, verdict, handle)
  local matched = verdict == true
  if verdict and verdict ~= true then
    if type(verdict) ~= "number" then
      attach(EVAL_ERROR, names[at] .. " must return true, false, nil or a number, got " .. type(verdict))
      return mark(at, ERROR + (emitted and EMITTED or 0))
    elseif verdict < 0 then
      attach(EVAL_ERROR, names[at] .. " returned " .. verdict .. ", which is an error")
      return mark(at, ERROR + (emitted and EMITTED or 0))
    end
    matched = verdict > 0
  end
  mark(at, (matched and MATCH or 0) + (emitted and EMITTED or 0))
  if capture and not captured and (emitted or matched and at == capture_after) then
    captured = true
    take_captures(handle)
  end
end

-- Both loops keep their place outside, so that an error goes on behind the function that raised it.
local handle, at
local function one_function()
  local eval = functions[1]
  while handle do
    local verdict = eval(handle)
    if verdict and verdict ~= 0 or emitted then
      settle(1, verdict, handle)
      emitted, captured = false, false
    end
    handle = next_event()
  end
end
local function all_functions()
  local count = #functions
  while handle do
    while at < count do
      at = at + 1
      local verdict = functions[at](handle)
      if verdict and verdict ~= 0 or emitted then
        settle(at, verdict, handle)
        emitted = false
      end
    end
    at, captured, handle = 0, false, next_event()
  end
end

function kael.evaluate_batch()
  local single = #functions == 1
  local loop = single and one_function or all_functions
  emitted, captured, handle, at = false, false, next_event(), 0
  while handle do
    local ok, err = xpcall(loop, report)
    if not ok then
      local failed = single and 1 or at
      attach(EVAL_ERROR, said_of(err))
      mark(failed, ERROR + (emitted and EMITTED or 0))
      emitted = false
      if single or at >= #functions then at, captured, handle = 0, false, next_event() end
    end
  end
end

local function refused(message) return staged("script", { message = message, traceback = {} }) end

-- Sets the globals of a rule, runs its chunk and `pred_init`. Returns what functions it has, or nil
-- and the report of the error.
function kael.open_rule(rule)
  for _, name in next, ABSENT do _G[name] = nil end
  -- Without the functions of the standard library, which the host would be asked for.
  setmetatable(assert, { __call = getmetatable(assert).__call })
  local kestrel = {}
  for name, native in next, kestrel0 do kestrel[name] = native end
  function kestrel.alert_emit(event)
    check_event(event)
    emitted = true
    return 0
  end
  kestrel.cache = cache
  _G.kestrel = kestrel
  -- A replay gives the same alerts: the clock is that of the events.
  os.exit = nil
  function os.clock() return event_time() / 1e9 end
  function time() return event_time() / 1e9 end
  function os.time(date) return date == nil and event_time() // 1000000000 or time0(date) end
  function os.date(format, time) return date0(format, time == nil and event_time() // 1000000000 or time) end
  local seed = rule.seed
  function math.randomseed(first, ...)
    if first == nil then first = seed end
    return randomseed(first, ...)
  end
  randomseed(seed)

  local main, err = kael.compile(rule.source, rule.name)
  if not main then return staged("syntax", { message = err, traceback = {} }) end
  local ok, result = xpcall(main, report)
  if not ok then return staged("script", reported(result)) end
  local init = rawget(_G, "pred_init")
  if init ~= nil then
    if type(init) ~= "function" then return refused(rule.name .. ": pred_init is a " .. type(init) .. ", not a function") end
    ok, result = xpcall(init, report)
    if not ok then return staged("script", reported(result)) end
    if result ~= nil and result ~= 0 then
      local shown = type(result) == "number" and tostring(result) or "a " .. type(result)
      return refused(rule.name .. ": pred_init returned " .. shown .. " (0 and nil are success)")
    end
  end
  names = rule.functions
  for place = 1, #names do
    local name = names[place]
    local value = rawget(_G, name)
    if type(value) ~= "function" then
      if value == nil then return refused(rule.name .. ": there is no function " .. name) end
      return refused(rule.name .. ": " .. name .. " is a " .. type(value) .. ", not a function")
    end
    functions[place] = value
  end
  local function optional(name)
    local value = rawget(_G, name)
    return type(value) == "function" and value or nil
  end
  capture, save, restore = optional("pred_capture"), optional("pred_save"), optional("pred_restore")
  capture_after = rule.capture_after
  return { init = init ~= nil, capture = capture ~= nil, save = save ~= nil }
end

-- What `pred_save` returned; nothing without one; or nil and the report of the error.
function kael.save_rule()
  if not save then return nil end
  local ok, saved = xpcall(save, report)
  if not ok then return staged("script", reported(saved)) end
  if saved == nil then return nil end
  if type(saved) ~= "string" then return refused("pred_save must return a string, got " .. type(saved)) end
  if #saved > MAX_SAVED then return refused("pred_save returned " .. #saved .. " bytes (allowed: " .. MAX_SAVED .. ")") end
  return saved
end

-- Returns true, or false and the report of the error.
function kael.restore_rule(saved)
  if not restore then return true end
  local ok, err = xpcall(restore, report, saved)
  if ok then return true end
  local _, made = staged("script", reported(err))
  return false, made
end
