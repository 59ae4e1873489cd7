-- `assert.eq` and the others: comparisons that say what differs.
local assert = {}

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  if type(value) == "table" then return inspect(value, 4) end
  return tostring(value)
end

local function same(a, b, seen)
  if a == b then return true end
  if type(a) == "number" and type(b) == "number" then
    local size = math.max(math.abs(a), math.abs(b), 1)
    return math.abs(a - b) <= 2.220446049250313e-16 * size
  end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  if seen[a] == b then return true end
  seen[a] = b
  for key, value in next, a do
    if not same(value, b[key], seen) then return false end
  end
  for key in next, b do
    if a[key] == nil then return false end
  end
  return true
end

local function failed(what, text, message)
  error("assert." .. what .. " failed: " .. text .. (message ~= nil and " - " .. tostring(message) or ""), 3)
end

-- The same value; tables by what they hold.
function assert.eq(a, b, message)
  if not same(a, b, {}) then failed("eq", shown(a) .. " != " .. shown(b), message) end
end
function assert.ne(a, b, message)
  if same(a, b, {}) then failed("ne", shown(a) .. " == " .. shown(b), message) end
end
function assert.gt(a, b, message)
  if not (type(a) == "number" and type(b) == "number" and a > b) then failed("gt", shown(a) .. " is not > " .. shown(b), message) end
end
function assert.lt(a, b, message)
  if not (type(a) == "number" and type(b) == "number" and a < b) then failed("lt", shown(a) .. " is not < " .. shown(b), message) end
end
-- A text that holds another one.
function assert.contains(s, part, message)
  if type(s) ~= "string" or not s:find(tostring(part), 1, true) then
    failed("contains", shown(s) .. " does not contain " .. shown(part), message)
  end
end
function assert.not_nil(value, message)
  if value == nil then failed("not_nil", "the value is nil", message) end
end
-- A text in which a Lua pattern is found.
function assert.matches(s, pattern, message)
  if type(s) ~= "string" or not s:find(pattern) then
    failed("matches", shown(s) .. " does not match " .. shown(pattern), message)
  end
end

return assert
