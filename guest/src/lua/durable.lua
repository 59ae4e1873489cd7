-- What a run with a journal waits for beside actions: signals, children. What it tells meanwhile.
-- The host answers all of it; without a journal it says what is needed.
local kael = ...
local type, tostring, error, next, fail, failure, outcome, seconds, call, clock =
  type, tostring, error, next, kael.fail, kael.failure, kael.outcome, kael.seconds, kael.call, kael.clock

-- The value that the host has answered with, or its error as that of the function `what`.
local function answered(what, ok, value, message, detail)
  if ok then return value end
  error(failure(what, value, message, detail), 0)
end

-- The time that `options` allow, which may have nothing else; and what is wrong with them.
local function timeout_of(options)
  if options == nil then return end
  if type(options) ~= "table" then return nil, "options must be a table such as { timeout = \"2d\" }, got " .. type(options) end
  for key in next, options do
    if key ~= "timeout" then return nil, "no option '" .. tostring(key) .. "' (there is: timeout)" end
  end
  if options.timeout == nil then return end
  local time, wrong = seconds(options.timeout)
  return time, wrong and "the option 'timeout': " .. wrong
end

-- Waits for a signal, and returns what came with it.
function wait_for(name, options)
  if type(name) ~= "string" then fail("wait_for: expected the name of a signal, got " .. type(name)) end
  local timeout, wrong = timeout_of(options)
  if wrong then fail("wait_for: " .. wrong) end
  return answered("wait_for", outcome("kael.wait", { name = name, timeout = timeout }))
end

-- Says how far the run is, for the people who look at it.
function status(text)
  local kind = type(text)
  if kind ~= "string" and kind ~= "number" then fail("status: expected a text, got " .. kind) end
  answered("status", call("kael.status", { text = tostring(text) }))
end

-- Seconds since 1970, with fractions. The same at this place when the run goes on elsewhere.
function now() return (clock()) end

local function wait_child(id, options)
  if type(id) ~= "string" then fail("runs.wait: expected the id of a run, got " .. type(id)) end
  local timeout, wrong = timeout_of(options)
  if wrong then fail("runs.wait: " .. wrong) end
  return answered("runs.wait", outcome("kael.child", { run = id, timeout = timeout }))
end

runs = { wait = wait_child }
-- Starts another run, and returns its id; with `wait = true` waits for it, and returns its result.
function runs.start(options)
  if type(options) ~= "table" then fail("runs.start: expected a table such as { script = text }, got " .. type(options)) end
  local request, waits = {}, false
  for key, value in next, options do
    if key == "wait" then waits = value else request[key] = value end
  end
  local id = answered("runs.start", outcome("kael.start", request))
  if waits then return wait_child(id) end
  return id
end

-- Ends this run, and starts another one in its place: it has the labels of this one, and who waits for this one waits for
-- that one.
function runs.continue_as(options)
  if type(options) ~= "table" then
    fail("runs.continue_as: expected a table such as { script = text }, got " .. type(options))
  end
  answered("runs.continue_as", call("kael.continue", options))
end
