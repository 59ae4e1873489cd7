-- A session: evaluates one chunk after the other in the same state, and completes names.
local kael = ...
local type, next, rawget, getmetatable, xpcall, ipairs, sort, find, match, gmatch, sub, rep, concat, pack, setmetatable =
  type, next, rawget, getmetatable, xpcall, ipairs, table.sort, string.find, string.match, string.gmatch, string.sub,
  string.rep, table.concat, table.pack, setmetatable
local parse, compile, emit, inspect, fail, error = kael.parse, kael.compile, kael.print, inspect, kael.fail, error
local report, reported, staged = kael.report, kael.reported, kael.staged
local interrupted, getinfo, sethook = kael.interrupted, kael.getinfo, kael.sethook
local create, string = coroutine.create, string

-- Asks the host after this many instructions whether the evaluation must end.
local STEP <const> = 20000
local interruptible, ending = false, false
-- Not a string, so that no function adds a position to it.
local INTERRUPTED <const> = setmetatable({}, { __tostring = function() return "interrupted" end })
-- Raised at every instruction then, so that no `pcall` stops it; but never inside the runtime's own
-- code, which it would leave half done.
local function check()
  ending = ending or interrupted()
  if not ending then return sethook(check, "", STEP) end
  sethook(check, "", 1)
  if getinfo(2, "S").short_src ~= "[kael]" then error(INTERRUPTED, 0) end
end

function kael.open_session(repo, can_be_interrupted)
  local begun, wrong = kael.begin(repo)
  if not begun then return nil, wrong end
  interruptible = can_be_interrupted
  if not interruptible then return true end
  -- A hook belongs to one coroutine.
  kael.make_coroutines_by(function(f)
    if type(f) ~= "function" then fail("bad argument #1 to 'create' (function expected)") end
    local co = create(f)
    sethook(co, check, "", STEP)
    return co
  end)
  return true
end

local function cut_short(err) return find(err, "<eof>$") ~= nil end
-- Reads an input that begins at a line as an expression, or else as statements: its function. Or nothing, the error, and
-- whether more input could complete it. `read` makes a function of a text.
function kael.read_input(source, line, read)
  local above = rep("\n", line - 1)
  source = source .. "\n" -- ends a string that has no end: another line would not
  local main, as_expression = read(above .. "return " .. source)
  if main then return main end
  local as_statements
  main, as_statements = read(above .. source)
  if main then return main end
  return nil, as_statements, cut_short(as_expression) or cut_short(as_statements)
end
local read_input = kael.read_input

local function compiled(chunk)
  if chunk.use_as == "file" then return compile(chunk.source, chunk.name) end
  local name = "@" .. chunk.name
  return read_input(chunk.source, chunk.line, function(text) return parse(text, name) end)
end

-- Prints what an input has returned, but for the first value.
function kael.show_values(values)
  local parts = {}
  for i = 2, values.n do parts[i] = inspect(values[i]) end
  emit(concat(parts, "\t", 2, values.n) .. "\n")
end
local show = kael.show_values

function kael.evaluate(chunk)
  local main, wrong, incomplete = compiled(chunk)
  if incomplete then return "incomplete" end
  if chunk.use_as == "check" then return "done" end
  if not main then return staged("syntax", { message = wrong, traceback = {} }) end
  ending = false
  if interruptible then sethook(check, "", STEP) end
  local values = pack(xpcall(main, report))
  local ok, err = values[1], values[2]
  if ok and values.n > 1 and chunk.use_as == "input" then ok, err = xpcall(show, report, values) end
  sethook()
  if ok then return "done" end
  return staged("script", reported(err))
end

-- How many entries of a table to look at, and how many names to return.
local LOOKED_AT <const>, GIVEN <const> = 100000, 1000
local words = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "global", "goto", "if", "in", "local",
  "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }

-- The table in which the fields of a value are looked up, if there is one.
local function behind(value)
  if type(value) == "string" then return string end
  local mt = getmetatable(value)
  local index = type(mt) == "table" and rawget(mt, "__index")
  return type(index) == "table" and index or nil
end
local function field(value, key)
  for _ = 1, 10 do
    if type(value) == "table" then
      local found = rawget(value, key)
      if found ~= nil then return found end
    end
    value = behind(value)
    if value == nil then return nil end
  end
end

function kael.complete(line)
  local path = match(line, "[%a_][%w_%.:]*$") or ""
  local before = sub(line, 1, #line - #path)
  local names, seen = {}, {}
  -- The value of a call, an index or a number is known only at run time.
  if find(before, "[%w_%.:%)%]\"']$") or path == "" and find(before, "[%.:]%s*$") then return names end
  local last = match(path, "[%w_]*$")
  local way, methods = sub(path, 1, #path - #last), find(path, ":", 1, true)
  if methods and methods ~= #way then return names end
  local value = _G
  for key in gmatch(way, "[%w_]+") do
    value = field(value, key)
    if value == nil then return names end
  end
  local function offer(name)
    if #names < GIVEN and not seen[name] and sub(name, 1, #last) == last then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  if way == "" then
    for _, word in ipairs(words) do offer(word) end
  elseif way == "actions." then
    offer("has") -- behind a function that raises errors
  end
  local left = LOOKED_AT
  for _ = 1, 10 do
    if type(value) == "table" then
      for key, found in next, value do
        left = left - 1
        if left < 0 then break end
        if type(key) == "string" and find(key, "^[%a_][%w_]*$") and (not methods or type(found) == "function") then offer(key) end
      end
    end
    value = behind(value)
    if value == nil then break end
  end
  sort(names)
  return names
end
