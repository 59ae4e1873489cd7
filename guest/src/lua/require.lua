-- `require` for the repo's modules, which the host passes as values. There is no file system.
local kael = ...
local type, error, fail, gsub, byte, sub, concat, remove, setmetatable =
  type, error, kael.fail, string.gsub, string.byte, string.sub, table.concat, table.remove, setmetatable
local load, loaded, package = kael.load, package.loaded, package

local find_module = function() end -- the path, the display name and the text of a module of the repo
local running, pcall = coroutine.running, pcall
local stack = {} -- modules being loaded, outermost first, each with the coroutine that loads it
-- Closed when a loader ends, even by an error, after the error's traceback was taken.
local unwind = {
  __close = function(entry)
    for i = #stack, 1, -1 do
      if stack[i] == entry then return remove(stack, i) end
    end
  end,
}

-- Parses a chunk. Returns nothing and the error if it fails. Has a call of its own, because
-- otherwise Lua would pass the parser's error about deep nesting to the caller's error handler,
-- which adds a traceback.
function kael.parse(source, name)
  local _, main, err = pcall(load, source, name, "t")
  if err == "C stack overflow" then err = sub(name, 2) .. ": the code nests too deeply" end
  return main, err
end
local parse = kael.parse

-- Like Lua's own loader, skips a byte order mark and a first line that starts with `#`, so that
-- scripts can be executable.
function kael.compile(source, display)
  if byte(source) == 0xEF then source = gsub(source, "^\u{FEFF}", "") end
  if byte(source) == 0x23 then source = gsub(source, "^[^\n]*", "", 1) end
  return parse(source, "@" .. display)
end

function kael.set_bundle(finder) find_module = finder end

local function chain_to(name, thread)
  local names, on = {}, false
  for i = 1, #stack do
    local entry = stack[i]
    on = on or entry.name == name and entry.thread == thread
    if on and entry.thread == thread then names[#names + 1] = entry.name end
  end
  names[#names + 1] = name
  return concat(names, " -> ")
end

local function shown(name)
  return #name > 200 and sub(name, 1, 200) .. "..." or name
end

function require(name)
  if type(name) ~= "string" then fail("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")") end
  local value = loaded[name]
  if value ~= nil then return value end
  -- Another branch of a `parallel` may be loading the module, which is not a loop. The first to
  -- finish wins.
  local thread = running()
  for i = 1, #stack do
    if stack[i].name == name and stack[i].thread == thread then
      fail("loop of requires: " .. chain_to(name, thread))
    end
  end
  local preload = package.preload
  local loader, extra = type(preload) == "table" and preload[name] or nil, ":preload:"
  if loader == nil then
    local path, display, source = find_module(name)
    if not path then
      loader, extra = kael.host_module(name), ":kael:"
    end
    if not path and not loader then
      local file = gsub(shown(name), "%.", "/")
      fail("module '" .. shown(name) .. "' not found:\n\tno field package.preload['" .. shown(name) .. "']\n\tno file '"
        .. file .. ".lua' in the actions repo\n\tno file '" .. file .. "/init.lua' in the actions repo")
    end
    if path then
      local err
      loader, err = kael.compile(source, display)
      if not loader then error(err, 0) end
      extra = path
    end
  end
  local entry <close> = setmetatable({ name = name, thread = thread }, unwind)
  stack[#stack + 1] = entry
  local kael_main_chunk = loader -- `frames` knows the name
  local result = kael_main_chunk(name, extra)
  if loaded[name] == nil and result ~= nil then loaded[name] = result end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name], extra
end
