-- Helpers that many scripts want: inspect, pp, keys, pluck, count.
local kael = ...
local type, tostring, next, rawget, sort, rep, format, find, concat, print0, error, null, array_mt =
  type, tostring, next, rawget, table.sort, string.rep, string.format, string.find, table.concat, print, error,
  kael.null, kael.array_mt
local getmetatable, ipairs, mathtype, gsub, fail = getmetatable, ipairs, math.type, string.gsub, kael.fail
local length = kael.length

local function quote(s)
  return (gsub(gsub(gsub(format("%q", s), "\\\n", "\\n"), "\r", "\\r"), "\t", "\\t"))
end
local rank = { number = 1, string = 2, boolean = 3 }
local function before(a, b)
  local ra, rb = rank[type(a)] or 9, rank[type(b)] or 9
  if ra ~= rb then return ra < rb end
  if ra <= 2 then return a < b end
  return tostring(a) < tostring(b)
end
local function sorted_keys(t)
  local list = {}
  for key in next, t do list[#list + 1] = key end
  sort(list, before)
  return list
end
local words = {}
for word in ("and break do else elseif end false for function global goto if in local nil not or repeat return then true until while"):gmatch("%a+") do
  words[word] = true
end

local function show(value, depth, indent, open)
  if type(value) == "string" then return quote(value) end
  if value == null then return "json.null" end
  if type(value) ~= "table" then return tostring(value) end
  local mt = getmetatable(value)
  if type(mt) == "table" and mt ~= array_mt and rawget(mt, "__tostring") or type(mt) == "string" then return tostring(value) end
  if open[value] then return "<cycle>" end
  if next(value) == nil then return "{}" end
  if depth <= 0 then return "{...}" end
  open[value] = true
  local parts, inner, long, n = {}, indent .. "  ", false, 0
  for i = 1, length(value) do
    local v = rawget(value, i)
    if v == nil then break end
    n = i
    parts[i] = show(v, depth - 1, inner, open)
    long = long or type(v) == "table"
  end
  for _, key in ipairs(sorted_keys(value)) do
    if not (mathtype(key) == "integer" and key >= 1 and key <= n) then
      local name = type(key) == "string" and find(key, "^[%a_][%w_]*$") and not words[key] and key
        or "[" .. show(key, 0, inner, open) .. "]"
      parts[#parts + 1] = name .. " = " .. show(rawget(value, key), depth - 1, inner, open)
    end
  end
  open[value] = nil
  local line = "{ " .. concat(parts, ", ") .. " }"
  if #line + #indent <= 100 and not find(line, "\n", 1, true) and not (long and #line > 60) then return line end
  return "{\n" .. inner .. concat(parts, ",\n" .. inner) .. "\n" .. indent .. "}"
end

-- Shows a table that was raised as an error, like `inspect` but short enough for a message. Calls
-- no function of the script: the table may hold anything.
local LEVELS <const>, FIELDS <const>, TEXT <const> = 4, 50, 200
local failures, sub = kael.failures, string.sub
function kael.describe(raised)
  local left = FIELDS -- in all
  local function some(value, depth, open)
    local kind = type(value)
    if kind == "string" then
      if #value > TEXT then return quote(sub(value, 1, TEXT)) .. "..." end
      return quote(value)
    end
    if value == null then return "json.null" end
    if kind == "number" or kind == "boolean" then return tostring(value) end
    if kind ~= "table" then return "<" .. kind .. ">" end
    if failures[value] then return quote(failures[value].text) end
    if open[value] then return "<cycle>" end
    if next(value) == nil then return "{}" end
    if depth == 0 then return "{...}" end
    open[value] = true
    local names, values, n = {}, {}, 0
    for key, field in next, value do
      if left == 0 then break end
      left = left - 1
      names[#names + 1] = key
      values[key] = field
    end
    local whole = next(value, names[#names]) == nil
    sort(names, function(a, b)
      local ra, rb = rank[type(a)] or 9, rank[type(b)] or 9
      if ra ~= rb then return ra < rb end
      return ra <= 2 and a < b
    end)
    local parts = {}
    for _, key in ipairs(names) do
      local text = some(values[key], depth - 1, open)
      if key == n + 1 then
        n = n + 1
        parts[#parts + 1] = text
      else
        local name = type(key) == "string" and #key <= TEXT and find(key, "^[%a_][%w_]*$") and not words[key] and key
          or "[" .. some(key, 0, open) .. "]"
        parts[#parts + 1] = name .. " = " .. text
      end
    end
    if not whole then parts[#parts + 1] = "..." end
    open[value] = nil
    return "{ " .. concat(parts, ", ") .. " }"
  end
  return some(raised, LEVELS, {})
end

-- A value in Lua syntax, with `depth` levels of tables, or all of them.
function inspect(value, depth)
  if depth ~= nil and type(depth) ~= "number" then fail("inspect: the depth must be a number, got " .. type(depth)) end
  return show(value, depth or 64, "", {})
end
-- Prints `inspect(value, depth)`.
function pp(value, depth)
  if depth ~= nil and type(depth) ~= "number" then fail("pp: the depth must be a number, got " .. type(depth)) end
  print0(show(value, depth or 64, "", {}))
end

local function need(name, value)
  if type(value) ~= "table" then error(name .. ": expected a table, got " .. type(value), 3) end
end
-- The keys of a table, sorted.
function keys(t)
  need("keys", t)
  return sorted_keys(t)
end
-- The field `key` of every element that has it.
function pluck(list, key)
  need("pluck", list)
  local out = {}
  for i = 1, length(list) do
    local element = list[i]
    local value
    if type(element) == "table" then value = element[key] end
    if value ~= nil then out[#out + 1] = value end
  end
  return out
end
-- How many entries a table has, or for how many `test(value, key)` is true.
function count(t, test)
  need("count", t)
  if test ~= nil and type(test) ~= "function" then error("count: the test must be a function, got " .. type(test), 2) end
  local n = 0
  for key, value in next, t do
    if test == nil or test(value, key) then n = n + 1 end
  end
  return n
end
