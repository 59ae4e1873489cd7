-- Defines `define_action` and `mcp_server` for a repo, and the `actions` tree for a script.
local kael = ...
local type, error, select, next, ipairs, rawget, rawset, setmetatable, getmetatable, tostring, sort, sub =
  type, error, select, next, ipairs, rawget, rawset, setmetatable, getmetatable, tostring, table.sort, string.sub
local encode, decode, nearest, caller = kael.encode, kael.decode, kael.nearest, kael.caller

local failure, fail = kael.failure, kael.fail
local act = kael.act
local loading, noting = false, false
local definitions = {} -- in the order of the calls
local definition_of = setmetatable({}, { __mode = "k" }) -- callable -> definition
local prefix_of = {} -- node of the tree -> what stands before the names of what it holds; kept while noting

-- Notes the mistake and goes on, so that the host reports all mistakes at once.
local function note(definition, file, line, body, ...)
  local text, err
  if type(body) ~= "table" then
    err = "expected a table, got " .. type(body)
  elseif select("#", ...) > 0 then
    err = "expected one table, got " .. 1 + select("#", ...) .. " arguments"
  else
    text, err = encode(body, false, true)
  end
  if text then err = nil end
  definition.file, definition.line, definition.body, definition.error = file or "?", line or 0, text or "", err
  definitions[#definitions + 1] = definition
end

-- An action that is defined at a line of the repo.
local function action_at(file, line, ...)
  local definition = { names = {} }
  if noting then note(definition, file, line, ...) end
  local function callable(...)
    local name = definition.name
    if not name then
      fail("this action has no name: the table that init.lua returns does not hold it")
    end
    return act(name, ...)
  end
  definition_of[callable] = definition
  return callable
end

local function define_action(...)
  if not loading then fail("define_action exists only while the actions repo loads") end
  local file, line
  if noting then file, line = caller(1) end
  return action_at(file, line, ...)
end

-- What a lock says of a tool.
local of_lock = { "tool", "digest", "description", "params", "returns" }

-- Defines an action for each tool of an MCP server that a lock holds, and returns them by name. The other fields are those
-- of each definition; `effects` is of all tools, or of each by its name.
local function mcp_server(server, ...)
  if not loading then fail("mcp_server exists only while the actions repo loads") end
  local file, line = caller(1)
  local function wrong(message)
    error((file and file .. ":" .. line .. ": " or "") .. "mcp_server: " .. message, 0)
  end
  if type(server) ~= "table" then wrong("expected a table, got " .. type(server)) end
  if select("#", ...) > 0 then wrong("expected one table, got " .. 1 + select("#", ...) .. " arguments") end
  local lock, effects = server.lock, server.effects
  if type(lock) == "string" then lock = require(lock) end
  if type(lock) ~= "table" then
    wrong("field 'lock' must name the module with the tools that were reviewed, such as \"github.lock\"")
  end
  local names = {}
  for name, tool in next, lock do
    if type(name) ~= "string" or type(tool) ~= "table" then wrong("the lock is not as kael-host actions mcp add writes it") end
    names[#names + 1] = name
  end
  sort(names)
  if type(effects) == "table" then
    for name in next, effects do
      if not lock[name] then
        local unknown = tostring(name)
        local near = nearest(unknown, names)
        wrong("field 'effects': the lock has no tool '" .. unknown .. "'" .. (near and " (did you mean '" .. near .. "'?)" or ""))
      end
    end
  end
  local tools = {}
  for _, name in ipairs(names) do
    local body = {}
    for key, value in next, server do body[key] = value end
    for _, key in ipairs(of_lock) do body[key] = lock[name][key] end
    body.lock, body.executor = nil, "mcp"
    if type(effects) == "table" then body.effects = effects[name] end
    if body.effects == nil then body.effects = "once" end
    tools[name] = action_at(file, line, body)
  end
  return tools
end

local candidates = {} -- every action and namespace, for suggestions
local known = {} -- action name -> true
local hints -- of a tree that came as an image: both as a text, until they are asked for
local function recall()
  local ok, lists = decode(hints)
  if not ok then error(lists, 0) end
  -- Not with `ipairs`: a script can change the metatable of a decoded table.
  for _, name in next, lists[2] do known[name] = true end
  candidates, hints = lists[1], nil
end

local function missing(prefix, key)
  if hints then recall() end
  local name = prefix .. (type(key) == "string" and key or "[" .. tostring(key) .. "]")
  if #name > 200 then name = sub(name, 1, 200) .. "..." end
  local near = nearest(name, candidates)
  local message = "no action '" .. name .. "'" .. (near and " (did you mean '" .. near .. "'?)" or "")
  error(failure(name, "unknown_action", message), 0)
end
local function has(name)
  if hints then recall() end
  return known[name] == true
end

local function seal(node, prefix)
  if getmetatable(node) ~= nil then
    if prefix == "" and rawget(node, "has") == nil then rawset(node, "has", has) end
    return
  end
  if noting then prefix_of[node] = prefix end
  setmetatable(node, {
    __index = function(_, key)
      if prefix == "" and key == "has" then return has end
      missing(prefix, key)
    end,
  })
end

-- Names everything in the repo's tree. Sorted, so that a value with several paths always has the
-- same name.
local function walk(node, prefix, seen)
  seen[node] = true
  local keys = {}
  for key in next, node do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  sort(keys)
  for _, key in ipairs(keys) do
    local value, name = rawget(node, key), prefix .. key
    if definition_of[value] then
      local definition = definition_of[value]
      definition.name = definition.name or name
      definition.names[#definition.names + 1] = name
      known[name] = true
      candidates[#candidates + 1] = name
    elseif type(value) == "table" and not seen[value] then
      candidates[#candidates + 1] = name
      walk(value, name .. ".", seen)
    end
  end
  seal(node, prefix)
end

-- Evaluates the repo: `actions` becomes the tree that init.lua returned, and `define_action`
-- disappears. Records the definitions only if they are `wanted`.
function kael.load_tree(modules, wanted)
  kael.set_bundle(modules)
  loading, noting = true, wanted
  _G.define_action, _G.mcp_server = define_action, mcp_server
  local root = require("init")
  loading = false
  _G.define_action, _G.mcp_server = nil, nil
  if type(root) ~= "table" then
    error("init.lua must return a table of actions, got " .. (root == true and "nothing" or type(root)), 0)
  end
  walk(root, "", {})
  _G.actions = root
  return definitions
end

-- For `image.lua`: the name of an action in the tree, the prefix of a sealed node, and all names as
-- a text, if they have no more than this many bytes.
function kael.name_of(value)
  local definition = definition_of[value]
  return definition and definition.name
end
function kael.prefix_of(node) return prefix_of[node] end
function kael.hints(most)
  local names, bytes = {}, 0
  for name in next, known do names[#names + 1] = name end
  for _, name in ipairs(candidates) do bytes = bytes + #name end
  return bytes <= most and encode({ candidates, names }, false) or nil
end

-- For `image.lua`: the same from an image.
function kael.action(name)
  return function(...) return act(name, ...) end
end
kael.seal = seal
function kael.adopt(root, names)
  hints = names
  _G.actions = root
end

function kael.no_repo()
  local function refuse() error("no actions repo was given: use --actions DIR or set KAEL_ACTIONS", 2) end
  _G.actions = setmetatable({}, { __index = refuse, __newindex = refuse, __pairs = refuse, __len = refuse, __call = refuse })
end
