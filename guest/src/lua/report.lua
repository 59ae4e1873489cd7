-- `report`: rows as text, and tables and charts for the page of `kael-host run --html`.
local kael = ...
local type, tostring, pairs, ipairs, next, fail, concat, sort, rep, gsub, find, sub, mathtype, huge, encode, array_mt, null =
  type, tostring, pairs, ipairs, next, kael.fail, table.concat, table.sort, string.rep, string.gsub, string.find,
  string.sub, math.type, math.huge, kael.encode, kael.array_mt, kael.null
local pcall, setmetatable, cell, submit, warn = pcall, setmetatable, kael.cell, kael.report, kael.warn

local PAGE_ROWS <const>, PAGE_CELL <const>, PAGE_COLUMNS <const>, TITLE <const> = 1000, 1000, 100, 200
local POINTS <const>, SERIES <const> = 10000, 20

report = {}

local function list(items) return setmetatable(items, array_mt) end

-- Errors name the script's line that called the exported function.
local error = error
local function refuse(message) error({ refused = message }, 0) end
local function exported(name, work)
  report[name] = function(...)
    local ok, result = pcall(work, ...)
    if ok then return result end
    if type(result) == "table" and result.refused then fail("report." .. name .. ": " .. result.refused) end
    error(result, 0)
  end
end

-- A copy of the rows, so that later changes of the given list have no effect.
local function rows_of(given)
  if type(given) ~= "table" then refuse("expected a list of rows, got " .. type(given)) end
  local rows = {}
  for i = 1, kael.length(given) do
    local row = given[i]
    if type(row) ~= "table" then refuse("row " .. i .. " must be a table, got " .. type(row)) end
    rows[i] = row
  end
  if #rows == 0 and next(given) ~= nil then refuse("expected a list of rows, got a table with names: put it into { }") end
  return rows
end

local function options_of(options, known)
  if options == nil then return {} end
  if type(options) ~= "table" then refuse("options must be a table, got " .. type(options)) end
  for key in pairs(options) do
    if not known[key] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      sort(names)
      refuse("no option '" .. tostring(key) .. "' (there are: " .. concat(names, ", ") .. ")")
    end
  end
  for key, kind in pairs(known) do
    if options[key] ~= nil and kind ~= true and type(options[key]) ~= kind then
      refuse("'" .. key .. "' must be a " .. kind .. ", got " .. type(options[key]))
    end
  end
  return options
end

-- The columns as { key, title }: the named ones in order, or all keys, sorted, indices first.
local function columns_of(rows, columns)
  local made = {}
  if columns ~= nil then
    if type(columns) ~= "table" then refuse("the columns must be a list of keys, got " .. type(columns)) end
    for i, column in ipairs(columns) do
      local key, title = column, nil
      if type(column) == "table" then key, title = column.key or column[1], column.title or column[2] end
      if type(key) ~= "string" and mathtype(key) ~= "integer" then
        refuse("column " .. i .. " must be a key, or a key and a title such as { 'cpu', 'CPU %' }")
      end
      made[i] = { key = key, title = title == nil and tostring(key) or tostring(title) }
    end
    if #made == 0 then refuse("there must be at least one column") end
    for _, column in ipairs(made) do
      local there = #rows == 0
      for i = 1, #rows do
        if rows[i][column.key] ~= nil then
          there = true
          break
        end
      end
      if not there then warn("report: no row has the column '" .. sub(tostring(column.key), 1, TITLE) .. "'") end
    end
    return made
  end
  local seen = {}
  for _, row in ipairs(rows) do
    for key in next, row do
      if (type(key) == "string" or mathtype(key) == "integer") and not seen[key] then
        seen[key] = true
        made[#made + 1] = { key = key, title = tostring(key) }
      end
    end
  end
  sort(made, function(a, b)
    if type(a.key) ~= type(b.key) then return type(a.key) == "number" end
    return a.key < b.key
  end)
  return made
end

-- The text of a cell.
local function text_of(value)
  if value == nil or value == null then return "" end
  if type(value) == "table" then
    local text = encode(value, false)
    if text then return text end
  end
  return tostring(value)
end

local function title_of(title)
  if title == nil then return nil end
  return (cell(title, TITLE))
end

-- A table for people: aligned by terminal width, with numbers to the right.
exported("table", function(rows, columns, options)
  rows = rows_of(rows)
  options = options_of(options, { title = "string" })
  columns = columns_of(rows, columns)
  local lines, widths, heads = {}, {}, {}
  for c, column in ipairs(columns) do
    local text, width = cell(column.title)
    heads[c], widths[c] = { text, width }, width
    column.right = false
  end
  for r = 1, #rows do
    local line = {}
    for c, column in ipairs(columns) do
      local value = rows[r][column.key]
      local text, width = cell(text_of(value))
      line[c] = { text, width }
      if width > widths[c] then widths[c] = width end
      if type(value) == "number" then
        if column.right == false then column.right = true end
      elseif value ~= nil and value ~= null then
        column.right = nil
      end
    end
    lines[r] = line
  end
  local function joined(line)
    local parts = {}
    for c, column in ipairs(columns) do
      local space = rep(" ", widths[c] - line[c][2])
      parts[c] = column.right and space .. line[c][1] or line[c][1] .. space
    end
    return (gsub(concat(parts, "  "), " +$", ""))
  end
  local rules = {}
  for c in ipairs(columns) do rules[c] = rep("-", widths[c]) end
  local out = { joined(heads), concat(rules, "  ") }
  for r, line in ipairs(lines) do out[r + 2] = joined(line) end
  if #columns == 0 then out = { "(no rows)" } end

  local page = { title = title_of(options.title), columns = list {}, rows = list {}, more = #rows }
  for c = 1, #columns < PAGE_COLUMNS and #columns or PAGE_COLUMNS do
    page.columns[c] = { title = (cell(heads[c][1], TITLE)), right = columns[c].right == true }
  end
  local room = 900000
  for r = 1, #rows < PAGE_ROWS and #rows or PAGE_ROWS do
    local line = list {}
    for c = 1, #page.columns do
      line[c] = #lines[r][c][1] > PAGE_CELL and cell(lines[r][c][1], PAGE_CELL) or lines[r][c][1]
      room = room - #line[c] - 4
    end
    if room < 0 then break end
    page.rows[r], page.more = line, #rows - r
  end
  submit({ table = page })
  return concat(out, "\n")
end)

-- Comma-separated values by RFC 4180, with plain line breaks.
exported("csv", function(rows, columns, options)
  rows = rows_of(rows)
  options = options_of(options, { safe = "boolean" })
  columns = columns_of(rows, columns)
  local function field(value)
    local text = text_of(value)
    -- A spreadsheet would take this for a formula.
    if options.safe and type(value) ~= "number" and find(text, "^[=+%-@\t\r]") then text = "'" .. text end
    if find(text, '[",\r\n]') or find(text, "^ ") or find(text, " $") then
      return '"' .. gsub(text, '"', '""') .. '"'
    end
    return text
  end
  local lines, line = {}, {}
  for c, column in ipairs(columns) do line[c] = field(column.title) end
  lines[1] = concat(line, ",")
  for r = 1, #rows do
    for c, column in ipairs(columns) do line[c] = field(rows[r][column.key]) end
    lines[r + 1] = concat(line, ",")
  end
  return concat(lines, "\n")
end)

-- A JSON list of objects, one per line, with keys in the order of the columns.
exported("json", function(rows, columns)
  rows = rows_of(rows)
  columns = columns_of(rows, columns)
  local lines = {}
  for r = 1, #rows do
    local fields = {}
    for _, column in ipairs(columns) do
      local text, err = encode(rows[r][column.key], false)
      if not text then refuse("row " .. r .. ", " .. column.title .. ": " .. err) end
      fields[#fields + 1] = encode(column.title, false) .. ": " .. text
    end
    lines[r] = "  {" .. concat(fields, ", ") .. "}"
  end
  if #lines == 0 then return "[]" end
  return "[\n" .. concat(lines, ",\n") .. "\n]"
end)

-- A Markdown table in GitHub's form. Markup in cells is escaped.
exported("markdown", function(rows, columns)
  rows = rows_of(rows)
  columns = columns_of(rows, columns)
  local function escaped(value)
    local text = gsub(text_of(value), "[\\`*|%[%]~]", "\\%0")
    text = gsub(gsub(text, "&", "&amp;"), "<", "&lt;")
    -- Inside a word an underscore is not emphasis.
    text = gsub(text, "%f[%w_]_+", function(run) return (gsub(run, "_", "\\_")) end)
    text = gsub(text, "_+%f[^%w_]", function(run) return (gsub(run, "_", "\\_")) end)
    text = gsub(gsub(text, "\r\n?", "\n"), "\n", "<br>")
    return (cell(text))
  end
  local heads, rules, lines, line = {}, {}, {}, {}
  for c, column in ipairs(columns) do
    heads[c] = escaped(column.title)
    local numbers, others = 0, 0
    for r = 1, #rows do
      local value = rows[r][column.key]
      if type(value) == "number" then numbers = numbers + 1 elseif value ~= nil and value ~= null then others = others + 1 end
    end
    rules[c] = numbers > 0 and others == 0 and "---:" or "---"
  end
  if #columns == 0 then return "(no rows)" end
  lines[1], lines[2] = "| " .. concat(heads, " | ") .. " |", "| " .. concat(rules, " | ") .. " |"
  for r = 1, #rows do
    for c, column in ipairs(columns) do line[c] = escaped(rows[r][column.key]) end
    lines[r + 2] = "| " .. concat(line, " | ") .. " |"
  end
  return concat(lines, "\n")
end)

local kinds = { line = true, area = true, bar = true, scatter = true }
local function shown(value) return type(value) == "string" and "'" .. sub(value, 1, 50) .. "'" or type(value) end

-- A chart for the page: `y` over `x` of every row, one series per `y`, or per value of `series`.
exported("chart", function(kind, rows, options)
  if not kinds[kind] then refuse("the kind must be 'line', 'area', 'bar' or 'scatter', got " .. shown(kind)) end
  rows = rows_of(rows)
  options = options_of(options, { x = true, y = true, series = true, title = "string", x_title = "string", y_title = "string" })
  local ys = options.y
  if ys == nil then
    ys = {}
    for _, column in ipairs(columns_of(rows)) do
      local numbers, others = 0, 0
      for r = 1, #rows do
        local value = rows[r][column.key]
        if type(value) == "number" then numbers = numbers + 1 elseif value ~= nil and value ~= null then others = others + 1 end
      end
      if numbers > 0 and others == 0 and column.key ~= options.x and column.key ~= options.series then ys[#ys + 1] = column.key end
    end
    if #ys == 0 then refuse("no column has numbers: say which with y = 'name'") end
  elseif type(ys) ~= "table" then
    ys = { ys }
  else
    local named = {}
    for i, y in ipairs(ys) do named[i] = y end
    ys = named
  end
  if options.series ~= nil and #ys ~= 1 then refuse("with 'series' there is one 'y', got " .. #ys) end

  local numeric = kind ~= "bar"
  for r = 1, #rows do
    local x = options.x == nil and r or rows[r][options.x]
    if x == nil or x == null then refuse("row " .. r .. " has no '" .. tostring(options.x) .. "', its x") end
    numeric = numeric and type(x) == "number" and x == x and x ~= huge and x ~= -huge
  end
  local series, named, points = list {}, {}, 0
  for r = 1, #rows do
    local row = rows[r]
    local x = options.x == nil and r or row[options.x]
    if not numeric then x = cell(text_of(x), TITLE) end
    for _, y in ipairs(ys) do
      local value, name = row[y], y
      if options.series ~= nil then name = row[options.series] end
      name = cell(text_of(name), TITLE)
      if value == nil then value = null end
      if value ~= null and (type(value) ~= "number" or value ~= value or value == huge or value == -huge) then
        refuse("row " .. r .. ": '" .. tostring(y) .. "' must be a finite number, got "
          .. (type(value) == "number" and tostring(value) or shown(value)))
      end
      local one = named[name]
      if not one then
        if #series == SERIES then refuse("a chart has at most " .. SERIES .. " series, and '" .. name .. "' is one more") end
        one = { name = name, points = list {} }
        named[name], series[#series + 1] = one, one
      end
      points = points + 1
      if points > POINTS then refuse("a chart has at most " .. POINTS .. " points: summarise the rows first") end
      one.points[#one.points + 1] = list { x, value }
    end
  end
  local err = submit({
    chart = {
      kind = kind, numeric = numeric, series = series, title = title_of(options.title),
      x_title = title_of(options.x_title or options.x ~= nil and tostring(options.x) or nil),
      y_title = title_of(options.y_title or #ys == 1 and tostring(ys[1]) or nil),
    },
  })
  if err then refuse(err) end
end)
