-- The image of a repo: the tree and the modules as a text, for repos that leave only actions and
-- plain data behind. A script's instance rebuilds from it what evaluating the repo would give, but
-- faster. Only the order of `pairs` over names may differ, which Lua does not define.
local kael = ...
local type, next, rawequal, pcall, ipairs, mathtype, encode, decode, collectgarbage, random, randomseed, error, create, rawlen, rawget =
  type, next, rawequal, pcall, ipairs, math.type, kael.encode, kael.decode, collectgarbage, math.random, math.randomseed, error,
  table.create, rawlen, rawget
local metatable, calls, finalizers = kael.metatable, kael.calls, kael.finalizers
local name_of, prefix_of, hints, action, seal, adopt = kael.name_of, kael.prefix_of, kael.hints, kael.action, kael.seal, kael.adopt
local loaded = package.loaded

-- The most entries of an image, and bytes of all its strings. Larger repos are evaluated.
local ENTRIES <const>, BYTES <const> = 20000, 1 << 20

-- The state before any code of a team runs: each reachable table, with its entries and its
-- metatable.
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

-- Whether that state has not changed, except for `actions` and the loaded modules.
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

-- The settings of Lua's garbage collector, as a text.
local PARAMETERS <const> = { "pause", "stepmul", "stepsize", "minormul", "majorminor", "minormajor" }
local function collecting()
  local mode = collectgarbage("incremental")
  collectgarbage(mode)
  local how = mode .. (collectgarbage("isrunning") and "" or " stopped")
  for _, name in ipairs(PARAMETERS) do how = how .. " " .. collectgarbage("param", name) end
  return how
end

-- Everything else that a repo can change while it loads. Compared before and after.
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

-- How a row writes a value: a positive number for an action, a negative number for a table, a list
-- of one number for a number, and strings and booleans as they are. A row has the table's prefix
-- (for a node of the tree), the length of its list part, the values of the list, and then every
-- other key and value. Raises an error for values that no image can hold.
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

-- Calls `load(...)`, which evaluates a repo. Returns its results, and a function that makes the
-- image: one line for the tree, one for all names. That function returns nothing if a script could
-- tell the image from the repo, or if it would be large.
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

-- Rebuilds a repo's tree and its loaded modules from an image, instead of evaluating the repo.
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
