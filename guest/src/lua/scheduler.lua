-- Runs the branches of `parallel` and `race` as coroutines over the component's one import.
--
-- An action in a branch yields to the scheduler if it can, so that the branches wait together. A
-- script's own coroutines (generators) may be between the action and the scheduler, so
-- `coroutine.resume` is replaced: it passes the scheduler's yields up, and hides them from the
-- script. Where a yield is impossible (in a sort's comparator, a gsub callback, a metamethod called
-- from C), the action blocks, and `parallel` runs a loop of its own.
local kael = ...
local call, submit, wait, cancel, flush_cancelled, failure =
  kael.call, kael.submit, kael.wait, kael.cancel, kael.flush_cancelled, kael.failure
local raw_traceback = kael.raw_traceback
local create, resume0, yield0, status0, close0, isyieldable, running =
  coroutine.create, coroutine.resume, coroutine.yield, coroutine.status, coroutine.close, coroutine.isyieldable,
  coroutine.running
local fail = kael.fail
local unpack, select, error, type, getmetatable, rawequal, tostring, tonumber, find, sub =
  table.unpack, select, error, type, getmetatable, rawequal, tostring, tonumber, string.find, string.sub

local MARK = {} -- first value of a yield that is the scheduler's; a script never sees it
local reachable = false -- every resume between here and the scheduler's loop can yield
local live = 0 -- branches that exist now
local queue -- branches ready to go on, of the loop that is running
local waiting = {} -- call id -> branch
local busy = setmetatable({}, { __mode = "k" }) -- a coroutine that waits for the scheduler, and is nobody's to resume

-- Runs an action with the arguments of the script's call.
function kael.act(name, ...)
  local ok, value, message, detail
  if reachable and live > 1 and isyieldable() then
    local id
    id, ok, value, message, detail = submit(name, ...)
    if id then
      ok, value, message, detail = yield0(MARK, id)
    end
  else
    ok, value, message, detail = call(name, ...)
  end
  if ok then return value end
  error(failure(name, value, message, detail), 0)
end

-- The outcome of one of the host's calls that take their time, as of an action.
local function outcome(name, request)
  if reachable and live > 1 and isyieldable() then
    local id, ok, value, message, detail = submit(name, request)
    if id then return yield0(MARK, id) end
    return ok, value, message, detail
  end
  return call(name, request)
end
kael.outcome = outcome

-- A time in seconds: a number, or a text such as "90s" or "1h30m". Else nil and what is wrong.
local huge = math.huge
local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }
local function seconds(time)
  local kind = type(time)
  if kind == "number" and time >= 0 and time < huge then return time end
  if kind ~= "string" then return nil, "expected a number of seconds, got " .. (kind == "number" and tostring(time) or kind) end
  local sum, at = 0, 1
  while true do
    local from, to, number, unit = find(time, "^(%d+%.?%d*)(%a+)", at)
    local factor = from and UNITS[unit]
    if not factor then break end
    sum, at = sum + tonumber(number) * factor, to + 1
  end
  if at == 1 or at <= #time or not (sum < huge) then
    return nil, "expected a number of seconds, or a text such as '90s', '1h30m' or '2d', got '" .. sub(time, 1, 40) .. "'"
  end
  return sum
end
kael.seconds = seconds

-- Waits like an action, while other branches continue.
function sleep(time)
  local all, wrong = seconds(time)
  if not all then fail("sleep: " .. wrong) end
  local ok, _, message = outcome("kael.sleep", { seconds = all })
  if not ok then fail("sleep: " .. message) end
end

local pump
local function answer(saved, co, ...)
  busy[co] = nil
  reachable = true
  return pump(saved, co, resume0(co, ...))
end
function pump(saved, co, ...)
  local ok, mark, id = ...
  if ok and rawequal(mark, MARK) then
    busy[co] = true
    return answer(saved, co, yield0(MARK, id))
  end
  reachable = saved
  return ...
end
local function resume(co, ...)
  if type(co) ~= "thread" then fail("bad argument #1 to 'resume' (thread expected, got " .. type(co) .. ")") end
  if busy[co] then return false, "cannot resume non-suspended coroutine" end
  -- Code that cannot reach the scheduler never yields to it.
  if not reachable then return resume0(co, ...) end
  local saved = reachable
  reachable = saved and isyieldable()
  return pump(saved, co, resume0(co, ...))
end
local function unwrap(co, ok, ...)
  if ok then return ... end
  local err = ...
  if status0(co) == "dead" then
    local closed, other = close0(co)
    if not closed then err = other end
  end
  error(err, type(err) == "string" and 2 or 0)
end
coroutine.resume = resume
-- Replaces the function that makes coroutines: a session makes coroutines that can be interrupted.
function kael.make_coroutines_by(f)
  create, coroutine.create = f, f
end
function coroutine.wrap(f)
  if type(f) ~= "function" then fail("bad argument #1 to 'wrap' (function expected, got " .. type(f) .. ")") end
  local co = create(f)
  return function(...)
    if reachable or busy[co] then return unwrap(co, resume(co, ...)) end
    return unwrap(co, resume0(co, ...))
  end
end
function coroutine.status(co)
  if type(co) ~= "thread" then fail("bad argument #1 to 'status' (thread expected, got " .. type(co) .. ")") end
  return busy[co] and "normal" or status0(co)
end
function coroutine.close(...)
  local current, main = running()
  local co = current
  if select("#", ...) > 0 then co = ... end
  if type(co) ~= "thread" then fail("bad argument #1 to 'close' (thread expected, got " .. type(co) .. ")") end
  if busy[co] then fail("cannot close a normal coroutine") end
  if co == current and main then fail("cannot close the main thread") end
  local status = status0(co)
  if status == "normal" then fail("cannot close a normal coroutine") end
  return close0(co)
end

local function push(q, branch, ok, value, message, detail)
  branch[1], branch[2], branch[3], branch[4] = ok, value, message, detail
  local n = q.last + 1
  q.last = n
  q[n] = branch
end
local function pop(q)
  while q.first <= q.last do
    local at = q.first
    local branch = q[at]
    q[at] = nil
    q.first = at + 1
    if not branch.dead then return branch end
  end
end
local function deliver(id, ok, value, message, detail)
  local branch = waiting[id]
  if branch then -- else: it was cancelled
    waiting[id] = nil
    branch.id = nil
    push(branch.group.queue, branch, ok, value, message, detail)
  end
end

local function kill(group)
  for i = 1, group.n do
    local branch = group.branches[i]
    if not branch.dead then
      branch.dead = true
      live = live - 1
      group.left = group.left - 1
      if branch.id then
        waiting[branch.id] = nil
        cancel(branch.id)
      end
      if branch.inner then kill(branch.inner) end
      close0(branch.co)
    end
  end
end

-- Keeps the frames of a branch for the report: they are gone once its error is raised in the
-- caller.
local function remember(group, co, err)
  local trace = raw_traceback(co)
  local below = kael.branch_trace
  if below and rawequal(below.error, err) then trace = below.trace .. "\n" .. trace end
  group.trace = trace
end

local function finish(branch, ok, value)
  local group = branch.group
  branch.dead = true
  live = live - 1
  group.left = group.left - 1
  if ok then
    group[branch.i] = value
  elseif not group.failed or branch.i < group.failed then
    group.failed, group.err = branch.i, value
  end
  if group.race then
    group.winner = branch.i
    kill(group)
    flush_cancelled()
  end
  if group.left == 0 and group.parent then
    group.parent.inner = nil
    push(group.queue, group.parent)
  end
end

local function after(branch, ok, mark, what)
  if not ok then
    local group = branch.group
    if not group.failed or branch.i < group.failed then remember(group, branch.co, mark) end
    local closed, other = close0(branch.co) -- runs the branch's pending <close> variables
    if not closed then mark = other end
    return finish(branch, false, mark)
  end
  if status0(branch.co) == "dead" then return finish(branch, true, mark) end
  if not rawequal(mark, MARK) then
    local group = branch.group
    if not group.failed or branch.i < group.failed then remember(group, branch.co, nil) end
    close0(branch.co)
    return finish(branch, false, "attempt to yield from outside a coroutine")
  end
  busy[branch.co] = true
  if type(what) == "table" then
    if what.left == 0 then
      push(branch.group.queue, branch)
    else
      what.parent = branch
      branch.inner = what
    end
  else
    waiting[what] = branch
    branch.id = what
  end
end

local function drain()
  for branch in pop, queue do
    reachable = true
    busy[branch.co] = nil
    if branch.begun then
      after(branch, resume0(branch.co, branch[1], branch[2], branch[3], branch[4]))
    else
      branch.begun = true -- with no arguments: a branch may be an action
      after(branch, resume0(branch.co))
    end
  end
end
local function run(group)
  local saved_queue, saved_reachable = queue, reachable
  queue = group.queue
  while true do
    drain()
    if group.left == 0 then break end
    deliver(wait())
  end
  queue, reachable = saved_queue, saved_reachable
end

local function group(what, race, fs, n)
  for i = 1, n do
    local f = fs[i]
    local mt = type(f) ~= "function" and getmetatable(f)
    if type(f) ~= "function" and not (type(mt) == "table" and mt.__call) then
      error(what .. ": branch " .. i .. " must be a function, got " .. type(f), 3)
    end
  end
  local nested = reachable and isyieldable()
  local g = { left = n, n = n, branches = {}, race = race, queue = nested and queue or { first = 1, last = 0 } }
  for i = 1, n do
    local f = fs[i]
    if type(f) ~= "function" then
      local callable = f
      f = function() return callable() end
    end
    local branch = { co = create(f), group = g, i = i }
    g.branches[i] = branch
    push(g.queue, branch)
  end
  live = live + n
  if nested then yield0(MARK, g) else run(g) end
  if g.failed and not (race and g.winner ~= g.failed) then
    kael.branch_trace = { error = g.err, trace = g.trace }
    error(g.err, 0)
  end
  return g
end

local function list_of(...)
  local n, first = select("#", ...), (...)
  if n == 1 and type(first) == "table" then
    local mt = getmetatable(first)
    if type(mt) ~= "table" or mt.__call == nil then return first, kael.length(first), true end
  end
  return { ... }, n, false
end

function parallel(...)
  local fs, n, listed = list_of(...)
  local g = group("parallel", false, fs, n)
  if not listed then return unpack(g, 1, n) end
  local results = {}
  for i = 1, n do results[i] = g[i] end
  return results
end
function race(...)
  local fs, n = list_of(...)
  if n == 0 then kael.fail("race: at least one function is needed") end
  local g = group("race", true, fs, n)
  return g.winner, g[g.winner]
end
