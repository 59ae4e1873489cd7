-- What clang's profile of Lua is taken from (guest/profile/take.sh), beside the workloads of tests/bench: what scripts that
-- glue programs together spend their time with.

-- Parses and writes a data format, byte by byte and by patterns.
local function parse(text)
  local at = 1
  local value
  local function skip() at = text:find("%S", at) or #text + 1 end
  local function fail(what) error({ what = what, at = at }) end
  local escapes = { n = "\n", t = "\t", ['"'] = '"', ["\\"] = "\\" }
  local function quoted()
    local parts = {}
    at = at + 1
    while true do
      local from, to = text:find('^[^"\\]+', at)
      if from then
        parts[#parts + 1] = text:sub(from, to)
        at = to + 1
      end
      local byte = text:byte(at)
      if byte == 34 then
        at = at + 1
        return table.concat(parts)
      elseif byte == 92 then
        parts[#parts + 1] = escapes[text:sub(at + 1, at + 1)] or fail("escape")
        at = at + 2
      else
        fail("string")
      end
    end
  end
  function value()
    skip()
    local byte = text:byte(at)
    if byte == 123 then
      local object = {}
      at = at + 1
      skip()
      while text:byte(at) ~= 125 do
        local key = quoted()
        skip()
        at = at + 1
        object[key] = value()
        skip()
        if text:byte(at) == 44 then at = at + 1 skip() end
      end
      at = at + 1
      return object
    elseif byte == 91 then
      local list = {}
      at = at + 1
      skip()
      while text:byte(at) ~= 93 do
        list[#list + 1] = value()
        skip()
        if text:byte(at) == 44 then at = at + 1 end
        skip()
      end
      at = at + 1
      return list
    elseif byte == 34 then
      return quoted()
    end
    local word = text:match("^[%w%.%-+]+", at) or fail("value")
    at = at + #word
    if word == "true" or word == "false" then return word == "true" end
    return tonumber(word) or fail("number")
  end
  return value()
end

local function write(value, parts)
  local kind = type(value)
  if kind == "table" then
    if #value > 0 then
      parts[#parts + 1] = "["
      for i, item in ipairs(value) do
        if i > 1 then parts[#parts + 1] = "," end
        write(item, parts)
      end
      parts[#parts + 1] = "]"
    else
      local keys = {}
      for key in pairs(value) do keys[#keys + 1] = key end
      table.sort(keys)
      parts[#parts + 1] = "{"
      for i, key in ipairs(keys) do
        if i > 1 then parts[#parts + 1] = "," end
        parts[#parts + 1] = '"' .. key .. '":'
        write(value[key], parts)
      end
      parts[#parts + 1] = "}"
    end
  elseif kind == "string" then
    parts[#parts + 1] = '"' .. value:gsub('[\\"\n\t]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n", ["\t"] = "\\t" }) .. '"'
  else
    parts[#parts + 1] = tostring(value)
  end
  return parts
end

-- Rows as a monitoring system would give them.
local function rows(n)
  local all, state = {}, 12345
  for i = 1, n do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    all[i] = {
      name = ("service-%03d"):format(state % 97), region = ({ "north", "south", "west" })[state % 3 + 1],
      value = state / 0x7fffffff * 100, count = state >> 12, up = state % 5 ~= 0, tags = { "t" .. state % 7, "n" .. i % 11 },
    }
  end
  return all
end

-- A class with inheritance and operators.
local Series = {}
Series.__index = Series
Series.__add = function(a, b)
  local sum = Series.new(a.name .. "+" .. b.name)
  for i = 1, math.min(#a, #b) do sum:push(a[i] + b[i]) end
  return sum
end
Series.__lt = function(a, b) return a:mean() < b:mean() end
Series.__tostring = function(self) return ("%s (%d): %.2f"):format(self.name, #self, self:mean()) end
function Series.new(name) return setmetatable({ name = name, total = 0 }, Series) end
function Series:push(value)
  self[#self + 1] = value
  self.total = self.total + value
end
function Series:mean() return #self == 0 and 0 or self.total / #self end
function Series:deviation()
  local mean, sum = self:mean(), 0
  for i = 1, #self do sum = sum + (self[i] - mean) ^ 2 end
  return (sum / math.max(#self, 1)) ^ 0.5
end

local function map(list, f)
  local out = {}
  for i, item in ipairs(list) do out[i] = f(item, i) end
  return out
end
local function filter(list, f)
  local out = {}
  for _, item in ipairs(list) do
    if f(item) then out[#out + 1] = item end
  end
  return out
end
local function fold(list, f, start)
  for _, item in ipairs(list) do start = f(start, item) end
  return start
end
local function each(list)
  return coroutine.wrap(function()
    for i, item in ipairs(list) do coroutine.yield(i, item) end
  end)
end
local function pipe(...)
  local steps = table.pack(...)
  return function(value)
    for i = 1, steps.n do value = steps[i](value) end
    return value
  end
end

-- Searching, counting and recursion with numbers.
local function primes(n)
  local sieve, found = {}, {}
  for i = 2, n do
    if not sieve[i] then
      found[#found + 1] = i
      for multiple = i * i, n, i do sieve[multiple] = true end
    end
  end
  return found
end
local function distance(a, b)
  local before = {}
  for j = 0, #b do before[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + cost)
    end
    before = row
  end
  return before[#b]
end
local function place(n, row, columns, up, down)
  if row > n then return 1 end
  local found = 0
  for column = 1, n do
    if not (columns[column] or up[row + column] or down[row - column]) then
      columns[column], up[row + column], down[row - column] = true, true, true
      found = found + place(n, row + 1, columns, up, down)
      columns[column], up[row + column], down[row - column] = nil, nil, nil
    end
  end
  return found
end
local function tree(depth)
  if depth == 0 then return { leaf = true } end
  return { left = tree(depth - 1), right = tree(depth - 1) }
end
local function depth(node) return node.leaf and 0 or 1 + math.max(depth(node.left), depth(node.right)) end

local checks = 0
for round = 1, 12 do
  local all = rows(1500)
  local text = table.concat(write(all, {}))
  local again = parse(text)
  checks = checks + #again

  local by = {}
  for _, row in ipairs(again) do
    local series = by[row.name] or Series.new(row.name)
    by[row.name] = series
    series:push(row.value)
  end
  local list = {}
  for _, series in pairs(by) do list[#list + 1] = series end
  table.sort(list, function(a, b) return a.name < b.name end)
  local sum = list[1] + list[2]
  checks = checks + #tostring(sum) + #tostring(list[#list]) + (list[1] < list[2] and 1 or 0)
  checks = checks + #map(list, function(series) return series:deviation() end)

  local busy = pipe(
    function(rs) return filter(rs, function(row) return row.up and row.value > 20 end) end,
    function(rs) return map(rs, function(row, i) return { row.region, row.count, i } end) end,
    function(rs) return fold(rs, function(sums, row) sums[row[1]] = (sums[row[1]] or 0) + row[2]; return sums end, {}) end
  )(again)
  for region, count in pairs(busy) do checks = checks + #region + count % 3 end
  for _, row in each(again) do checks = checks + #row.tags end

  local lines = {}
  for i, row in ipairs(again) do
    lines[#lines + 1] = ("%-12s %8.3f %6d %s"):format(row.name, row.value, row.count, row.region:upper())
    if i % 50 == 0 then table.insert(lines, 1, "-- " .. i) end
  end
  local page = table.concat(lines, "\n")
  local words = {}
  for word in page:gmatch("%a+") do words[word:lower()] = (words[word:lower()] or 0) + 1 end
  for name, number in page:gmatch("(%S+)%s+(%d+%.%d+)") do checks = checks + #name + (tonumber(number) > 50 and 1 or 0) end
  checks = checks + select(2, page:gsub("NORTH", "n")) + #page:rep(2, "\n") + #page:reverse()
  while #lines > 700 do table.remove(lines) end
  for _ = 1, 100 do table.remove(lines, 1) end

  for i = 1, 4000 do
    local ok, problem = pcall(function(n)
      if n % 4 == 0 then error({ code = n }) end
      if n % 4 == 1 then error("refused: " .. n) end
      return n
    end, i)
    if not ok and type(problem) == "string" then checks = checks + (problem:find("refused", 1, true) and 1 or 0) end
  end
  checks = checks + #primes(20000) + place(6, 1, {}, {}, {}) + depth(tree(11))
  for i = 1, 40 do checks = checks + distance(list[i % #list + 1].name, "service-0" .. i) end

  local x, y, inside = 0.5, 0.25, 0
  for i = 1, 40000 do
    x, y = x * 3.99 * (1 - x), y * 3.7 * (1 - y)
    if x * x + y * y < 1 then inside = inside + 1 end
    if i % 8 == 0 then x = math.sin(x) ^ 2 end
  end
  local hash = 0
  for i = 1, 40000 do hash = ((hash << 5) ~ (hash >> 3) ~ i) & 0xffffffff end
  local counters = {}
  for i = 1, 200 do
    local n = 0
    counters[i] = function(by) n = n + by return n end
  end
  for i = 1, 20000 do checks = checks + counters[i % 200 + 1](i % 3) % 2 end
  checks = checks + inside + hash % 7
  local long = {}
  for i = 1, 100000 do long[i] = i end
  -- Much of this: where little counts beside it, more is inlined into the interpreter's loop than does it good.
  for _ = 1, 50 do table.move(long, 1, #long - 1, 2) end
  local kept = setmetatable({}, { __mode = "k" })
  for i = 1, 2000 do kept[{}] = i end
end
print(checks)
