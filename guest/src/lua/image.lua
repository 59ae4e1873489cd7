-- The image of a repo: the tree and the modules of one that has left nothing but actions and plain data, as a text. A
-- script's instance makes of it what evaluating the repo again would give, for less: all but the order in which `pairs` goes
-- over names, which Lua leaves open.
local kael = ...
local type, next, rawequal, pcall, ipairs, mathtype, encode, decode, collectgarbage, random, randomseed, error, create, rawlen, rawget =
  type, next, rawequal, pcall, ipairs, math.type, kael.encode, kael.decode, collectgarbage, math.random, math.randomseed, error,
  table.create, rawlen, rawget
local metatable, calls, finalizers = kael.metatable, kael.calls, kael.finalizers
local name_of, prefix_of, hints, action, seal, adopt = kael.name_of, kael.prefix_of, kael.hints, kael.action, kael.seal, kael.adopt
local loaded = package.loaded

-- What is larger is evaluated: so many entries, and bytes in all their strings.
local ENTRIES <const>, BYTES <const> = 20000, 1 << 20

-- What there is before any code of a team's runs: each table that can be reached, with its entries and its metatable.
local world = {}
local function note(value)
  if type(value) ~= "table" or world[value] then return end
  local was = { entries = {}, n = 0, metatable = metatable(value) }
  world[value] = was
  for key, entry in next, value do
    was.entries[key], was.n = entry, was.n + 1
    note(key)
    note(entry)
  end
  note(was.metatable)
end

-- The last of the runtime's files calls this.
function kael.note_world()
  note(_G)
  note(metatable(""))
  note(kael.array_mt)
end

-- Whether all of that is as it was, but for `actions` and for the modules that were loaded.
local function world_is_untouched()
  for place, was in next, world do
    if not rawequal(metatable(place), was.metatable) then return false end
    local n = 0
    for key, entry in next, place do
      local before = was.entries[key]
      if before ~= nil then
        if not rawequal(before, entry) then return false end
        n = n + 1
      elseif not (place == loaded or place == _G and key == "actions") then
        return false
      end
    end
    if n ~= was.n then return false end
  end
  return true
end

-- How Lua collects garbage, as a text.
local PARAMETERS <const> = { "pause", "stepmul", "stepsize", "minormul", "majorminor", "minormajor" }
local function collecting()
  local mode = collectgarbage("incremental")
  collectgarbage(mode)
  local how = mode .. (collectgarbage("isrunning") and "" or " stopped")
  for _, name in ipairs(PARAMETERS) do how = how .. " " .. collectgarbage("param", name) end
  return how
end

-- What a repo can leave behind, beside values, while it loads: looked at before and after.
local function traces(seed)
  randomseed(seed)
  local drawn = random(0)
  randomseed(seed)
  local called, collected = calls(), collecting()
  return function()
    return random(0) == drawn and not finalizers() and calls() == called and collecting() == collected
      and not kael.line_was_told and world_is_untouched()
  end
end

-- What stands for a value in a row: a number for an action (above zero) or a table (below), a list of one number for that
-- number, and texts and booleans for themselves. A row has the table's prefix, if it is a node of the tree, the length of its
-- list, the values of that, and then every other value with its key. Raises an error for what no image can hold.
local function drawn(root)
  local names, number_of, tables, entries, bytes = {}, {}, {}, 0, 0
  local function entry(key)
    entries, bytes = entries + 1, bytes + (type(key) == "string" and #key or 0)
    if entries > ENTRIES or bytes > BYTES then error("too large") end
    return key
  end
  local function stand_in(value)
    local kind = type(value)
    if kind == "boolean" then return value end
    if kind == "string" then
      bytes = bytes + #value
      return value
    end
    if kind == "number" then return { value } end
    local number = number_of[value]
    if number then return number end
    if kind == "table" then
      local prefix = prefix_of(value)
      if world[value] or not prefix and metatable(value) ~= nil then error("no plain table") end
      tables[#tables + 1] = value
      number = -#tables
    else
      names[#names + 1] = name_of(value) or error("no action")
      number = #names
    end
    number_of[value] = number
    return number
  end

  stand_in(root)
  local modules, rows = {}, {}
  for name, value in next, loaded do
    if world[loaded].entries[name] == nil then
      if type(name) ~= "string" then error("no name of a module") end
      modules[#modules + 1] = entry(name)
      modules[#modules + 1] = stand_in(value)
    end
  end
  while #rows < #tables do
    local place = tables[#rows + 1]
    local length = rawlen(place)
    local row = { entry(prefix_of(place) or false), length }
    for i = 1, length do
      local value = rawget(place, entry(i))
      if value == nil then error("a hole") end
      row[i + 2] = stand_in(value)
    end
    for key, value in next, place do
      if type(key) == "string" then
        row[#row + 1] = stand_in(value)
        row[#row + 1] = entry(key)
      elseif mathtype(key) ~= "integer" or key < 1 or key > length then
        error("no plain key")
      end
    end
    rows[#rows + 1] = row
  end
  return { names, rows, modules }
end

-- Calls `load(...)`, which evaluates a repo, and gives what that gives, and a function that makes its image then, a line for
-- the tree and one for all names: nothing when scripts could tell it from the repo, or when it would be large.
function kael.watched(seed, load, ...)
  local nothing_else = traces(seed)
  local result = load(...)
  return result, function()
    if not nothing_else() then return nil end
    local ok, image = pcall(drawn, _G.actions)
    local text = ok and encode(image, false) or nil
    local names = text and hints(BYTES)
    return names and text .. "\n" .. names
  end
end

-- In the place of evaluating a repo: makes its tree and the modules that it loads of its image.
function kael.restore(text, names_of_all)
  local _, image = decode(text)
  local names, rows, modules = image[1], image[2], image[3]
  local actions, tables = {}, {}
  for i = 1, #names do actions[i] = action(names[i]) end
  for i = 1, #rows do
    local length = rows[i][2]
    tables[i] = create(length, (#rows[i] - 2 - length) // 2)
  end
  local function value_of(standing)
    local kind = type(standing)
    if kind == "number" then return standing > 0 and actions[standing] or tables[-standing] end
    if kind == "table" then return standing[1] end
    return standing
  end
  for i = 1, #rows do
    local row, place = rows[i], tables[i]
    local length = row[2]
    for at = 1, length do place[at] = value_of(row[at + 2]) end
    for at = length + 3, #row, 2 do place[row[at + 1]] = value_of(row[at]) end
    if row[1] then seal(place, row[1]) end
  end
  for at = 1, #modules, 2 do loaded[modules[at]] = value_of(modules[at + 1]) end
  adopt(tables[1], names_of_all)
end
