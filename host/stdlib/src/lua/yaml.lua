-- `yaml`: reads documents of YAML 1.2, and writes them.
local kael = ...
local read, fail, null, array_mt = kael.yaml, kael.fail, kael.null, kael.array_mt
local yaml = {}

local function documents(what, text, level)
  if type(text) ~= "string" then error("yaml." .. what .. ": expected a string, got " .. type(text), level) end
  local ok, all = read(text)
  if not ok then error("yaml." .. what .. ": " .. all, level) end
  return all
end

-- The one document of a text.
function yaml.parse(text)
  local all = documents("parse", text, 3)
  if #all > 1 then fail("yaml.parse: the text has " .. #all .. " documents: use yaml.parse_all") end
  return all[1]
end
-- Every document; those that are null are left out.
function yaml.parse_all(text)
  local list = {}
  for _, document in ipairs(documents("parse_all", text, 3)) do
    if document ~= nil and document ~= null then list[#list + 1] = document end
  end
  return list
end

local function scalar(value)
  if value == null then return "null" end
  if type(value) == "number" then
    if value ~= value then return ".nan" end
    if value == math.huge then return ".inf" end
    if value == -math.huge then return "-.inf" end
  end
  if type(value) ~= "string" then return tostring(value) end
  -- What could be read as something else stands in quotes.
  local plain = value:find("^[%a_][%w_ ./-]*$") and not value:find(" $") and not value:find("^[nN]") and not value:find("^[tT]rue")
    and not value:find("^TRUE") and not value:find("^[fF]alse") and not value:find("^FALSE") and not value:find("^[yYoO]")
  if plain then return value end
  return '"' .. value:gsub('[%c"\\\x7f]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    if c == "\n" then return "\\n" end
    if c == "\t" then return "\\t" end
    return ("\\x%02x"):format(c:byte())
  end) .. '"'
end

local function write(value, indent, out, open)
  if type(value) == "function" or type(value) == "thread" then error("yaml.encode: a " .. type(value) .. " has no YAML", 0) end
  if type(value) ~= "table" then out[#out + 1] = scalar(value) return end
  if open[value] then error("yaml.encode: the table holds itself", 0) end
  open[value] = true
  local n = #value
  if next(value) == nil then
    out[#out + 1] = getmetatable(value) == array_mt and "[]" or "{}"
  elseif n > 0 then
    for i = 1, n do
      out[#out + 1] = (out.fresh and "" or "\n" .. indent) .. "- "
      out.fresh = type(value[i]) == "table"
      write(value[i], indent .. "  ", out, open)
      out.fresh = false
    end
  else
    local keys = {}
    for key in next, value do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
      local inner = value[key]
      out[#out + 1] = (out.fresh and "" or "\n" .. indent) .. scalar(tostring(key)) .. ":"
      out.fresh = false
      if type(inner) ~= "table" or next(inner) == nil then out[#out + 1] = " " end
      write(inner, indent .. "  ", out, open)
    end
  end
  open[value] = nil
end

-- A value as a document, with sorted keys.
function yaml.encode(value)
  local out = { fresh = true }
  local ok, wrong = pcall(write, value, "", out, {})
  if not ok then fail(wrong) end
  return table.concat(out) .. "\n"
end

return yaml
