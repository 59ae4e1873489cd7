-- `toml`: reads TOML, whose dates become texts, and writes tables.
local kael = ...
local read, fail = kael.toml, kael.fail
local toml = {}

function toml.parse(text)
  if type(text) ~= "string" then fail("toml.parse: expected a string, got " .. type(text)) end
  local ok, value = read(text)
  if not ok then fail("toml.parse: " .. value) end
  return value
end

local function key(name)
  name = tostring(name)
  return name:find("^[%w_-]+$") and name or '"' .. name:gsub('[%c"\\]', function(c) return ("\\u%04X"):format(c:byte()) end) .. '"'
end
local DEEPEST <const> = 100
local function inline(value, depth)
  if depth > DEEPEST then error("toml.encode: the table nests too deeply", 0) end
  if type(value) == "string" then
    return '"' .. value:gsub('[%c"\\\x7f]', function(c)
      if c == '"' or c == "\\" then return "\\" .. c end
      if c == "\n" then return "\\n" end
      return ("\\u%04X"):format(c:byte())
    end) .. '"'
  end
  if type(value) == "number" and (value ~= value or value == math.huge or value == -math.huge) then
    return value ~= value and "nan" or value > 0 and "inf" or "-inf"
  end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "table" then error("toml.encode: a " .. (value == kael.null and "null" or type(value)) .. " has no TOML", 0) end
  local parts = {}
  if #value > 0 or next(value) == nil then
    for i = 1, #value do parts[i] = inline(value[i], depth + 1) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  for _, name in ipairs(keys(value)) do parts[#parts + 1] = key(name) .. " = " .. inline(value[name], depth + 1) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end
local function write(t, path, out, depth)
  if depth > DEEPEST then error("toml.encode: the table nests too deeply", 0) end
  local later = {}
  for _, name in ipairs(keys(t)) do
    local value = t[name]
    if type(value) == "table" and #value == 0 and next(value) ~= nil then
      later[#later + 1] = name
    else
      out[#out + 1] = key(name) .. " = " .. inline(value, depth)
    end
  end
  for _, name in ipairs(later) do
    local inner = path == "" and key(name) or path .. "." .. key(name)
    if #out > 0 then out[#out + 1] = "" end
    out[#out + 1] = "[" .. inner .. "]"
    write(t[name], inner, out, depth + 1)
  end
end

function toml.encode(t)
  if type(t) ~= "table" then fail("toml.encode: expected a table, got " .. type(t)) end
  local out = {}
  local ok, wrong = pcall(write, t, "", out, 1)
  if not ok then fail(wrong) end
  return table.concat(out, "\n") .. "\n"
end

return toml
