-- The two requests of the host: evaluate a repo, and run a script. Both return errors as values.
local kael = ...
local type, tostring, ipairs, next, getmetatable, rawequal, pcall, xpcall, unpack =
  type, tostring, ipairs, next, getmetatable, rawequal, pcall, xpcall, table.unpack
local raw_traceback, frames, failures = kael.raw_traceback, kael.frames, kael.failures
local randomseed, describe, inputs, finalize = math.randomseed, kael.describe, kael.inputs, kael.finalize

-- The text that Lua's own program prints for an error that is not a string.
local function text_of(err)
  if type(err) == "string" or type(err) == "number" then return tostring(err) end
  local mt = getmetatable(err)
  if failures[err] or type(mt) == "table" and mt.__tostring or type(err) == "userdata" then
    local ok, text = pcall(tostring, err)
    if ok then return text end
  end
  if type(err) == "table" and next(err) ~= nil then return describe(err) end
  return "(error object is a " .. type(err) .. " value)"
end

-- The latest errors on their way out, with the frames that they passed. Several, because `load`
-- calls this handler too. The error value itself is passed on unchanged, so closing variables and
-- `load` cannot change the report.
local KEPT <const> = 8
local kept, newest = {}, 0
local function report(err)
  if err == nil then err = "<no error object>" end -- as Lua says it
  if type(err) ~= "string" then
    for i = 1, #kept do
      if rawequal(kept[i].err, err) then return err end -- raised again
    end
  end
  local trace = raw_traceback(nil, 2)
  local branch = kael.branch_trace
  if branch and branch.trace and rawequal(branch.error, err) then trace = branch.trace .. "\n" .. trace end
  local made = { message = text_of(err), traceback = frames(trace), err = err }
  local failure = failures[err]
  if failure then made.message, made.action, made.kind = failure.text, failure.action, failure.kind end
  newest = newest % KEPT + 1
  kept[newest] = made
  return err
end
local function reported(err)
  for i = 0, KEPT - 1 do
    local made = kept[(newest - 1 - i) % KEPT + 1]
    if made and rawequal(made.err, err) then return made end
  end
  return { message = text_of(err), traceback = {} }
end

local function staged(stage, made)
  return nil, { stage = stage, message = made.message, traceback = made.traceback, action = made.action, kind = made.kind }
end

kael.report, kael.reported, kael.staged = report, reported, staged

-- Returns the definitions of the repo, and its image, if it has one.
function kael.load_repo(repo)
  local seed = kael.seed()
  kael.watch_lines(true)
  local ok, definitions, image = xpcall(kael.watched, report, seed, kael.load_tree, repo.find, true)
  kael.watch_lines(false)
  if ok then return definitions, image() end
  return staged("repo", reported(definitions))
end

-- Prepares an instance with the repo, if there is one. Returns true, or nil and the report of the
-- error.
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
  local main, err = kael.compile(script.source, script.name)
  if not main then return staged("syntax", { message = err, traceback = {} }) end
  local ok, result = xpcall(main, report, unpack(script.args))
  if not ok then
    local made = reported(result)
    finalize()
    return staged("script", made)
  end
  local text = ""
  if script.want_result then text, err = kael.encode(result, false) end
  -- Like `lua_close` at the end of Lua's own program.
  finalize()
  if text then return text end
  return staged("output", { message = script.name .. ": the value that the script returned: " .. err, traceback = {} })
end
