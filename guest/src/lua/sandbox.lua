-- Removes everything from the standard library that a sandbox must not have, and keeps some of it
-- for the runtime. Every file of the runtime takes its functions into locals now, because a script
-- may replace any global later.
local kael = ...
local select, type, tostring, error, getmetatable, setmetatable, find, gmatch, gsub, concat, load0, tointeger =
  select, type, tostring, error, getmetatable, setmetatable, string.find, string.gmatch, string.gsub, table.concat, load,
  math.tointeger
local getinfo, sethook, last_line = kael.debug.getinfo, kael.debug.sethook, kael.last_line

kael.raw_traceback = kael.debug.traceback
kael.getinfo, kael.sethook, kael.metatable = getinfo, sethook, kael.debug.getmetatable
kael.getlocal, kael.setlocal = kael.debug.getlocal, kael.debug.setlocal
kael.getupvalue, kael.setupvalue = kael.debug.getupvalue, kael.debug.setupvalue
kael.debug = nil
kael.load = load0

-- File and line of the code that called the function `level` levels up. A tail call hides its
-- caller: then this is the line that ran last, if lines are watched, or nothing. Also returns
-- whether that happened.
local function caller(level)
  level = (level or 1) + 1
  if getinfo(level, "t").istailcall then
    local file, line = last_line()
    return file, line, true
  end
  local at = getinfo(level + 1, "Sl")
  if at and at.currentline > 0 then return at.short_src, at.currentline end
end
kael.caller = caller

-- Raises an error at the caller of the calling function.
local function fail(message)
  local file, line, hidden = caller(2)
  -- A repo can keep the message. A script's instance does not watch lines, so its message would
  -- differ.
  if file and hidden then kael.line_was_told = true end
  error(file and file .. ":" .. line .. ": " .. message or message, 0)
end
kael.fail = fail

-- The length of a list, without metamethods.
local rawlen = rawlen
function kael.length(list) return tointeger(#list) or rawlen(list) end

-- A traceback as a list of frames, innermost first. Leaves out the runtime's own frames; begins and
-- ends in Lua code.
function kael.frames(text)
  local frames, first, last = {}, nil, 0
  for indented in gmatch(text, "[^\n]+") do
    local line = gsub(indented, "^%s+", "")
    -- Lua would name the chunk of a module after the variable through which `require` called it.
    line = gsub(line, "in local 'kael_main_chunk'$", "in main chunk")
    if line ~= "stack traceback:" and not find(line, "^%[kael%]:") then
      frames[#frames + 1] = line
      if not find(line, "^%[C%]") and line ~= "(...tail calls...)" then
        first, last = first or #frames, #frames
      end
    end
  end
  local kept = {}
  for i = first or 1, last do kept[#kept + 1] = frames[i] end
  return kept
end

local traceback0, frames = kael.raw_traceback, kael.frames
local function traceback(thread, message, level)
  local other = type(thread) == "thread"
  if not other then message, level = thread, message end
  if message ~= nil and type(message) ~= "string" and type(message) ~= "number" then return message end
  local whole = level == nil and (other and 0 or 1) or tointeger(level)
  if not whole then
    fail("bad argument #" .. (other and 3 or 2) .. " to 'traceback' (number expected, got " .. type(level) .. ")")
  end
  local text = other and traceback0(thread, nil, whole) or traceback0(nil, whole + 1)
  local lines = frames(text)
  local head = message ~= nil and (message .. "\n") or ""
  if #lines == 0 then return head .. "stack traceback:" end
  return head .. "stack traceback:\n\t" .. concat(lines, "\n\t")
end

-- Only text: a binary chunk can crash the interpreter. And no chunk may have the runtime's name,
-- whose frames are hidden.
function load(chunk, name, mode, ...)
  local kind, naming = type(chunk), type(name)
  if kind ~= "string" and kind ~= "function" and kind ~= "number" then
    fail("bad argument #1 to 'load' (function expected, got " .. kind .. ")")
  end
  if naming ~= "nil" and naming ~= "string" and naming ~= "number" then
    fail("bad argument #2 to 'load' (string expected, got " .. naming .. ")")
  end
  if mode ~= nil and (type(mode) ~= "string" or not find(mode, "t", 1, true)) then
    return nil, "attempt to load a binary chunk (only text is allowed)"
  end
  if naming == "string" then name = gsub(name, "^([=@])%[kael%]", "%1(kael)") end
  if select("#", ...) > 0 then return load0(chunk, name, "t", (...)) end
  return load0(chunk, name, "t")
end

local clock, leave = kael.clock, kael.exit
-- Ends the run with this exit code. With `close`, finalisers run first, as in Lua.
local function exit(code, close)
  if code == nil or code == true then
    code = 0
  elseif code == false then
    code = 1
  else
    local whole = type(code) == "number" and tointeger(code)
    if not whole then
      fail("bad argument #1 to 'exit' (" .. (type(code) == "number" and "number has no integer representation)"
        or "number expected, got " .. type(code) .. ")"))
    end
    code = whole & 255
  end
  if close then kael.finalize() end
  fail("os.exit: " .. leave(code)) -- comes back only where no run can end
end
os = {
  time = os.time,
  date = os.date,
  difftime = os.difftime,
  -- The CPU seconds of the run.
  clock = function() return (select(2, clock())) end,
  exit = exit,
}
debug = { traceback = traceback }
string.dump, dofile, loadfile, io, require = nil, nil, nil, nil, nil
package = {
  -- Programs read these to recognise the system. `require` finds modules of the actions repo and of
  -- `preload`.
  config = "/\n;\n?\n!\n-\n",
  path = "./?.lua;./?/init.lua",
  cpath = "",
  preload = {},
  loaded = {
    _G = _G, string = string, table = table, math = math, utf8 = utf8, coroutine = coroutine, os = os, debug = debug,
  },
}
package.loaded.package = package

local emit = kael.print
function print(...)
  local n = select("#", ...)
  if n == 1 then return emit(tostring((...)) .. "\n") end
  local parts = { ... }
  for i = 1, n do parts[i] = tostring(parts[i]) end
  emit(concat(parts, "\t", 1, n) .. "\n")
end

-- The stdin of `kael-host run`, read at the first call.
local read, stdin = kael.input, nil
function input()
  if not stdin then
    local text, err = read()
    if not text then fail("input: " .. err) end
    stdin = text
  end
  return stdin
end
inputs = {} -- the files of `--input NAME=FILE`, by their names
kael.inputs = inputs

-- Off until `warn("@on")`, as in Lua's own program. Then warnings are shown among the run's
-- messages.
local warning, shown = false, kael.warn
function warn(...)
  local parts = { ... }
  local n = select("#", ...)
  for i = 1, n > 0 and n or 1 do
    local kind = type(parts[i])
    if kind ~= "string" and kind ~= "number" then
      fail("bad argument #" .. i .. " to 'warn' (string expected, got " .. (i > n and "no value" or kind) .. ")")
    end
  end
  if n == 1 and find(parts[1], "^@") then
    if parts[1] == "@on" then warning = true elseif parts[1] == "@off" then warning = false end
  elseif warning then
    shown(concat(parts))
  end
end

-- Checks the options of `json.decode` and `jq`.
local null, next = kael.null, next
function kael.wrong_options(options)
  if options == nil then return end
  if type(options) ~= "table" then return "options must be a table such as { null = json.null }, got " .. type(options) end
  for key, value in next, options do
    if key ~= "null" then return "no option '" .. tostring(key) .. "' (there is: null)" end
    if value ~= null then return "the option 'null' can be json.null, got " .. tostring(value) end
  end
end
local wrong_options = kael.wrong_options

local encode, decode = kael.encode, kael.decode
local array_mt = kael.array_mt
json = { null = kael.null }
function json.encode(value)
  local text, err = encode(value, false)
  if text then return text end
  fail("json.encode: " .. err)
end
function json.pretty(value)
  local text, err = encode(value, true)
  if text then return text end
  fail("json.pretty: " .. err)
end
function json.decode(text, options)
  if type(text) ~= "string" then fail("json.decode: expected a string, got " .. type(text)) end
  local wrong = wrong_options(options)
  if wrong then fail("json.decode: " .. wrong) end
  local ok, value = decode(text, options and options.null)
  if ok then return value end
  fail("json.decode: " .. value)
end
function json.array(list)
  if list == nil then list = {} end
  if type(list) ~= "table" then fail("json.array: expected a table, got " .. type(list)) end
  local mt = getmetatable(list)
  if mt ~= nil and mt ~= array_mt then fail("json.array: the table has a metatable of its own") end
  return setmetatable(list, array_mt)
end
