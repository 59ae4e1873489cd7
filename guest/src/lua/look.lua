-- Opens a run that is looked at, in the state in which its journal leaves it: evaluates what the host gives, with the
-- locals of the frames that are running there. The run never goes on from here.
local kael = ...
local next, call, load, report, reported, pcall, xpcall, pack, setmetatable, running, sub =
  next, kael.call, kael.load, kael.report, kael.reported, pcall, xpcall, table.pack, setmetatable, coroutine.running, string.sub
local read_input, show = kael.read_input, kael.show_values
local getinfo, getlocal, setlocal, getupvalue, setupvalue =
  kael.getinfo, kael.getlocal, kael.setlocal, kael.getupvalue, kael.setupvalue
local globals = _G

-- The variables of the frames of scripts in this thread, by their names: the innermost one of a name. A frame is known by
-- how far it is from the outermost one, which stays the same while functions are called from here.
local function variables(co)
  local found, n = {}, 0
  while getinfo(co, n, "l") do n = n + 1 end
  for level = 1, n - 1 do
    local at = getinfo(co, level, "Sf")
    if at.what ~= "C" and at.short_src ~= "[kael]" then
      local of_frame, i = {}, 1
      while true do
        local name = getlocal(co, level, i)
        if not name then break end
        if sub(name, 1, 1) ~= "(" then of_frame[name] = { below = n - level, i = i } end
        i = i + 1
      end
      for i = 1, 255 do
        local name = getupvalue(at.func, i)
        if not name then break end
        if name ~= "_ENV" and name ~= "" and not of_frame[name] then of_frame[name] = { func = at.func, i = i } end
      end
      for name, variable in next, of_frame do
        if not found[name] then found[name] = variable end
      end
    end
  end
  return found
end

-- What a chunk sees: these variables before the globals.
local function scope(co, found)
  return setmetatable({}, {
    __index = function(_, name)
      local variable = found[name]
      if not variable then return globals[name] end
      if variable.func then
        local _, value = getupvalue(variable.func, variable.i)
        return value
      end
      local n = 0
      while getinfo(co, n, "l") do n = n + 1 end
      local _, value = getlocal(co, n - variable.below, variable.i)
      return value
    end,
    __newindex = function(_, name, value)
      local variable = found[name]
      if not variable then
        globals[name] = value
      elseif variable.func then
        setupvalue(variable.func, variable.i, value)
      else
        local n = 0
        while getinfo(co, n, "l") do n = n + 1 end
        setlocal(co, n - variable.below, variable.i, value)
      end
    end,
  })
end

kael.on_look(function()
  local co = running()
  local env = scope(co, variables(co))
  local function read(text)
    local _, main, wrong = pcall(load, text, "@repl", "t", env)
    return main, wrong
  end
  local request = { state = "begin" }
  while true do
    local ok, given = call("kael.look", request)
    if not ok then return end
    local main, wrong, more = read_input(given.source, given.line, read)
    if more then
      request = { state = "incomplete" }
    elseif not main then
      request = { state = "failed", message = wrong, traceback = {} }
    else
      local values = pack(xpcall(main, report))
      local done, err = values[1], values[2]
      if done and values.n > 1 then done, err = xpcall(show, report, values) end
      if done then
        request = { state = "done" }
      else
        local made = reported(err)
        request = { state = "failed", message = made.message, traceback = made.traceback }
      end
    end
  end
end)
