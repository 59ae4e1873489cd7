-- `db`: the databases that the policy opens by name. Nothing is kept between two calls: several
-- statements that belong together are a transaction.
local kael = ...
local act, fail = kael.act, kael.fail
local db = {}

local connection_mt = { __name = "db.connection", __index = {} }
local methods = connection_mt.__index
function connection_mt.__tostring(connection) return "db.connection: " .. connection.name end

-- A database by the name that a grant gives it. Nothing is opened before the first statement.
function db.connect(name)
  if type(name) ~= "string" then fail("db.connect: expected the name of a database, got " .. type(name)) end
  if name:find("://", 1, true) or name:find("^sqlite:") then
    fail("db.connect: a script names no address: `grants: { db: [{ name: NAME, url: … }] }` opens a database, and db.connect takes NAME")
  end
  return setmetatable({ name = name }, connection_mt)
end

local function check(what, connection, sql)
  if getmetatable(connection) ~= connection_mt then fail("db." .. what .. ": expected a database of db.connect, got " .. type(connection)) end
  if type(sql) ~= "string" then fail("db." .. what .. ": expected a statement as text, got " .. type(sql)) end
end
-- A list with `n`, or as long as its last value that is not nil.
local function values(what, list)
  if list == nil then return json.array() end
  if type(list) ~= "table" then fail("db." .. what .. ": expected a list of parameters, got " .. type(list)) end
  local n = list.n or 0
  for at in next, list do
    if math.type(at) == "integer" and at > n then n = at end
  end
  local made = json.array()
  for at = 1, n do
    local value = list[at]
    if value == nil then value = json.null end
    if type(value) == "string" and not utf8.len(value) then value = { bytes = as_chars(value) } end
    made[at] = value
  end
  return made
end

-- Bytes, a document of JSON, and a list, in which NULL stays what it is, are tables on their way.
local function read(value)
  if type(value) ~= "table" then return value end
  if value.bytes then return as_bytes(value.bytes) end
  if not value.list then return value.json end
  local list = {}
  for at, one in ipairs(value.list) do list[at] = read(one) end
  return list
end
local function rows_of(answer)
  local rows = {}
  for at, row in ipairs(answer.rows) do
    local made = {}
    for column, name in ipairs(answer.columns) do
      local value = read(row[column])
      if value ~= kael.null then made[name] = value end
    end
    rows[at] = made
  end
  return rows
end
-- Of a statement with RETURNING the rows are there, too.
local function done(one)
  if one.rows then one.rows, one.columns = rows_of(one), nil end
  if one.last_insert_id == kael.null then one.last_insert_id = nil end
  return one
end

-- The rows that a statement reads: tables by the names of columns. NULL is nil.
function db.query(connection, sql, params, opts)
  check("query", connection, sql)
  return rows_of(act("kael.db.query", { db = connection.name, sql = sql, params = values("query", params), timeout = opts and opts.timeout }))
end
-- The first row, or nil.
function db.one(connection, sql, params, opts) return db.query(connection, sql, params, opts)[1] end

-- Runs a statement that changes something: { rows_affected, last_insert_id, rows }.
function db.execute(connection, sql, params, opts)
  check("execute", connection, sql)
  return done(act("kael.db.execute", { db = connection.name, sql = sql, params = values("execute", params), timeout = opts and opts.timeout })[1])
end
-- Runs statements, each { sql, params } or a text, in one transaction. Returns what db.execute would of each.
function db.transaction(connection, statements, opts)
  check("transaction", connection, "")
  if type(statements) ~= "table" or #statements == 0 then fail("db.transaction: expected a list of statements") end
  local made = json.array()
  for at, statement in ipairs(statements) do
    if type(statement) == "string" then statement = { statement } end
    check("transaction", connection, type(statement) == "table" and statement[1] or statement)
    made[at] = { sql = statement[1], params = values("transaction", statement[2]) }
  end
  local all = act("kael.db.transaction", { db = connection.name, statements = made, timeout = opts and opts.timeout })
  for _, one in ipairs(all) do done(one) end
  return all
end
-- Nothing is open between two calls; scripts for Assay close what they have connected to.
function db.close() end

for name, method in next, db do
  if name ~= "connect" then methods[name] = method end
end
return db
