-- The two things the host asks for: evaluate a repo, run a script. Both report their errors as values.
local kael = ...
local type, tostring, ipairs, getmetatable, rawequal, pcall, xpcall, unpack =
  type, tostring, ipairs, getmetatable, rawequal, pcall, xpcall, table.unpack
local raw_traceback, frames, failures = kael.raw_traceback, kael.frames, kael.failures
local randomseed = math.randomseed

-- What Lua's own program says of an error that is no string.
local function text_of(problem)
  if type(problem) == "string" or type(problem) == "number" then return tostring(problem) end
  local mt = getmetatable(problem)
  if failures[problem] or type(mt) == "table" and mt.__tostring or type(problem) == "userdata" then
    local ok, text = pcall(tostring, problem)
    if ok then return text end
  end
  return "(error object is a " .. type(problem) .. " value)"
end

-- An error on its way out, with the frames that it passed.
local reports = setmetatable({}, { __mode = "k" })
local function report(problem)
  if reports[problem] then return problem end
  local trace = raw_traceback(nil, 2)
  local branch = kael.branch_trace
  if branch and rawequal(branch.error, problem) then trace = branch.trace .. "\n" .. trace end
  local made = { message = text_of(problem), traceback = frames(trace), problem = problem }
  local failure = failures[problem]
  if failure then made.message, made.action, made.kind = failure.text, failure.action, failure.kind end
  reports[made] = true
  return made
end

local function staged(stage, made)
  made.stage = stage
  made.problem = nil
  return nil, made
end

function kael.load_repo(modules)
  randomseed(kael.seed())
  kael.watch_lines(true)
  local ok, result = xpcall(kael.load_tree, report, modules)
  kael.watch_lines(false)
  if ok then return result end
  return staged("repo", result)
end

function kael.run_script(modules, script)
  randomseed(kael.seed())
  if modules then
    local ok, result = xpcall(kael.load_tree, report, modules)
    if not ok then return staged("repo", result) end
  else
    kael.no_repo()
  end
  arg = { [0] = script.name }
  for i, value in ipairs(script.args) do arg[i] = value end
  local main, problem = kael.compile(script.source, script.name)
  if not main then return staged("syntax", { message = problem, traceback = {} }) end
  local ok, result = xpcall(main, report, unpack(script.args))
  if not ok then return staged("script", result) end
  if not script.want_result then return "" end
  local text
  text, problem = kael.encode(result, false)
  if text then return text end
  return staged("output", { message = script.name .. ": the value that the script returned: " .. problem, traceback = {} })
end
