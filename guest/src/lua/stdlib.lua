-- The standard library that the host brings. Its Lua stays in the host until a script first uses
-- it: `http`, `fs` and the others are tables that fill themselves then, and `require` finds the
-- host's modules (`assay.prometheus`). What they do to the world are calls of actions.
local kael = ...
local type, next, setmetatable, getmetatable, rawset, select, find, sub, gsub, error, pairs, pcall =
  type, next, setmetatable, getmetatable, rawset, select, string.find, string.sub, string.gsub, error, pairs, pcall
local call, load0, fail, clock = kael.call, kael.load, kael.fail, kael.clock

json.parse = json.decode

-- Seconds since 1970, with fractions.
function time() return (clock()) end

-- The parts of a text between a separator, which is no pattern; without one, its words.
function string.split(text, separator)
  if type(text) ~= "string" then fail("bad argument #1 to 'split' (string expected, got " .. type(text) .. ")") end
  if separator ~= nil and (type(separator) ~= "string" or separator == "") then
    fail("bad argument #2 to 'split' (a text that is not empty expected)")
  end
  local parts, n, at = {}, 0, 1
  while true do
    local from, to = find(text, separator or "%s+", at, separator ~= nil)
    local part = sub(text, at, (from or 0) - 1)
    if separator or part ~= "" then
      n = n + 1
      parts[n] = part
    end
    if not from then return parts end
    at = to + 1
  end
end

-- What the host's Lua sees: the functions as they are now. A script may replace any global later.
local env = {}
for name, value in next, _G do
  if type(value) == "table" and value ~= _G and name ~= "package" then
    local copy = {}
    for key, field in next, value do copy[key] = field end
    env[name] = setmetatable(copy, getmetatable(value))
  elseif type(value) == "function" then
    env[name] = value
  end
end

-- Only these parts of the runtime are for the host's Lua. The table is not among its globals.
local given = {
  act = kael.act, call = call, fail = fail, failure = kael.failure, failures = kael.failures, encode = kael.encode,
  decode = kael.decode, nearest = kael.nearest, null = kael.null, array_mt = kael.array_mt, jq = kael.jq, clock = clock,
  yaml = kael.yaml, toml = kael.toml, length = kael.length, digest = kael.digest,
}

local function source_of(name)
  local ok, source = call("kael.module", { name = name })
  return ok and type(source) == "string" and source or nil
end
local function compiled(source)
  local main, err = load0(source, "=[kael]", "t", env)
  return main or error(err, 0)
end

-- The loader of a module that the host has.
function kael.host_module(name)
  local source = find(name, "^assay%.") and source_of(name)
  if not source then return end
  local main = compiled(source)
  return function(...) return main(given, ...) end
end

-- Returns what a function of the host's Lua gave. An error of its own, or of Lua's, such as a wrong
-- type met on the way, is raised at the line that called it instead of the library's.
local function given_back(name, ok, first, ...)
  if ok then return first, ... end
  if type(first) == "string" then
    local text, own = gsub(first, "^%[kael%]:%d+: ", "")
    local is_named = sub(text, 1, #name) == name
    -- This function was called in the place of the one that the script called: level 2 is the script.
    if own == 1 or is_named then error(is_named and text or name .. ": " .. text, 2) end
  end
  return error(first, 0)
end
local function guarded(name, value)
  if type(value) ~= "function" then return value end
  return function(...) return given_back(name, pcall(value, ...)) end
end

-- Makes a table fill itself with the host's Lua when it is first used.
local function lazy(name, library, metatable)
  local function fill()
    local source = source_of(name)
    if not source then fail(name .. ": this program was built without it") end
    metatable.__index, metatable.__newindex, metatable.__pairs = nil, nil, nil
    for key, value in next, compiled(source)(given) do
      rawset(library, key, guarded(name .. "." .. key, value))
    end
    return library
  end
  function metatable.__index(_, key) return fill()[key] end
  function metatable.__newindex(_, key, value) fill()[key] = value end
  function metatable.__pairs() return pairs(fill()) end
  env[name] = setmetatable(library, metatable)
  return library
end
for _, name in next, { "base64", "crypto", "db", "env", "fs", "http", "log", "regex", "toml", "yaml" } do _G[name] = lazy(name, {}, {}) end

-- `assert(...)` is Lua's own; `assert.eq(a, b)` and the others compare.
assert = lazy("assert", {}, {
  __call = function(_, ...)
    local n, holds, message = select("#", ...), ...
    if holds then return ... end
    if n == 0 then fail("bad argument #1 to 'assert' (value expected)") end
    if n == 1 then message = "assertion failed!" end
    error(message, type(message) == "string" and 2 or 0)
  end,
})
