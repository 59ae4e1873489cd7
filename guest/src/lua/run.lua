-- The two things the host asks for: evaluate a repo, run a script. Both report their errors as values.
local kael = ...
local type, tostring, ipairs, next, getmetatable, rawequal, pcall, xpcall, unpack =
  type, tostring, ipairs, next, getmetatable, rawequal, pcall, xpcall, table.unpack
local raw_traceback, frames, failures = kael.raw_traceback, kael.frames, kael.failures
local randomseed, describe, inputs, finalize = math.randomseed, kael.describe, kael.inputs, kael.finalize

-- What Lua's own program says of an error that is no string.
local function text_of(problem)
  if type(problem) == "string" or type(problem) == "number" then return tostring(problem) end
  local mt = getmetatable(problem)
  if failures[problem] or type(mt) == "table" and mt.__tostring or type(problem) == "userdata" then
    local ok, text = pcall(tostring, problem)
    if ok then return text end
  end
  if type(problem) == "table" and next(problem) ~= nil then return describe(problem) end
  return "(error object is a " .. type(problem) .. " value)"
end

-- Errors on their way out, with the frames that they passed: the last few, as `load` asks this handler for its word, too.
-- The error itself goes on unchanged: what closing variables and `load` see is no handle on what will be reported.
local KEPT <const> = 8
local kept, newest = {}, 0
local function report(problem)
  if problem == nil then problem = "<no error object>" end -- as Lua says it
  if type(problem) ~= "string" then
    for i = 1, #kept do
      if rawequal(kept[i].problem, problem) then return problem end -- raised again
    end
  end
  local trace = raw_traceback(nil, 2)
  local branch = kael.branch_trace
  if branch and branch.trace and rawequal(branch.error, problem) then trace = branch.trace .. "\n" .. trace end
  local made = { message = text_of(problem), traceback = frames(trace), problem = problem }
  local failure = failures[problem]
  if failure then made.message, made.action, made.kind = failure.text, failure.action, failure.kind end
  newest = newest % KEPT + 1
  kept[newest] = made
  return problem
end
local function reported(problem)
  for i = 0, KEPT - 1 do
    local made = kept[(newest - 1 - i) % KEPT + 1]
    if made and rawequal(made.problem, problem) then return made end
  end
  return { message = text_of(problem), traceback = {} }
end

local function staged(stage, made)
  return nil, { stage = stage, message = made.message, traceback = made.traceback, action = made.action, kind = made.kind }
end

kael.report, kael.reported, kael.staged = report, reported, staged

-- What the repo defines, and its image, if it has one.
function kael.load_repo(repo)
  local seed = kael.seed()
  kael.watch_lines(true)
  local ok, definitions, image = xpcall(kael.watched, report, seed, kael.load_tree, repo.find, true)
  kael.watch_lines(false)
  if ok then return definitions, image() end
  return staged("repo", reported(definitions))
end

-- Begins an instance with the repo, if there is one: true, or nil and the report of what is wrong with it.
function kael.begin(repo)
  randomseed(kael.seed())
  if not repo then
    kael.no_repo()
  elseif repo.image then
    kael.set_bundle(repo.find)
    kael.restore(repo.image, repo.names)
    repo.image, repo.names = nil, nil -- nobody needs them any more
  else
    local ok, result = xpcall(kael.load_tree, report, repo.find)
    if not ok then return staged("repo", reported(result)) end
  end
  return true
end

function kael.run_script(repo, script)
  local begun, wrong = kael.begin(repo)
  if not begun then return nil, wrong end
  for name, text in next, script.inputs do inputs[name] = text end
  arg = { [0] = script.name }
  for i, value in ipairs(script.args) do arg[i] = value end
  local main, problem = kael.compile(script.source, script.name)
  if not main then return staged("syntax", { message = problem, traceback = {} }) end
  local ok, result = xpcall(main, report, unpack(script.args))
  if not ok then
    local made = reported(result)
    finalize()
    return staged("script", made)
  end
  local text = ""
  if script.want_result then text, problem = kael.encode(result, false) end
  -- As `lua_close` does at the end of Lua's own program.
  finalize()
  if text then return text end
  return staged("output", { message = script.name .. ": the value that the script returned: " .. problem, traceback = {} })
end
