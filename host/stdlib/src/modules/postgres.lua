--- @module assay.postgres
--- @description PostgreSQL: queries, roles, databases and privileges, of a database that a grant opens.
--- @category database
--- @keywords postgres, postgresql, sql, database, roles, grants
--- @quickref M.client(name) -> c | the name of the grant `db`
--- @quickref c.queries:query(sql, params?) -> [row] | $1 for the first parameter
--- @quickref c.queries:execute(sql, params?) -> {rows_affected} | a statement
--- @quickref c.users:exists(name) -> bool | a role
--- @quickref c.users:ensure(name, password, opts?) -> bool | whether it was made; createdb, superuser
--- @quickref c.databases:exists(name) -> bool | in this server
--- @quickref c.databases:ensure(name, owner?) -> bool | whether it was made
--- @quickref c.databases:grant(database, user, privileges?) -> true | ALL PRIVILEGES, or CONNECT, CREATE, TEMPORARY
--- @quickref c:close() -> nil | nothing stays open
--- @quickref M.identifier(name) -> string | quoted for SQL
--- @quickref M.literal(text) -> string | quoted for SQL
local service = require("assay.client")
local M = {}

local function plain(what, text)
  if type(text) ~= "string" or text == "" or text:find("\0", 1, true) then
    error("postgres: the " .. what .. " must be a text that is not empty", 4)
  end
  return text
end
function M.identifier(name) return '"' .. plain("name", name):gsub('"', '""') .. '"' end
function M.literal(text)
  if type(text) ~= "string" or text:find("\0", 1, true) then error("postgres: expected a text", 2) end
  -- With E, so that a backslash means itself whatever the server's settings are.
  return "E'" .. text:gsub("[\\']", "%0%0") .. "'"
end

local PRIVILEGES <const> = { ALL = true, ["ALL PRIVILEGES"] = true, CONNECT = true, CREATE = true, TEMPORARY = true, TEMP = true }
local function privileges_of(text)
  local list = {}
  for word in (text or "ALL PRIVILEGES"):gmatch("[^,]+") do
    local name = word:match("^%s*(.-)%s*$"):upper():gsub("%s+", " ")
    if not PRIVILEGES[name] then
      error("postgres: no privilege of a database " .. name .. " (there are: ALL PRIVILEGES, CONNECT, CREATE, TEMPORARY)", 4)
    end
    list[#list + 1] = name
  end
  return table.concat(list, ", ")
end

function M.client(name, ...)
  if select("#", ...) > 0 or type(name) ~= "string" or name:find("://", 1, true) then
    error('postgres.client: a database is opened by a grant, db: [{ name: NAME, url: "postgres://USER:{secret:db/password}@HOST:5432/NAME", '
      .. 'mode: read-write }], and then named: postgres.client("NAME")', 2)
  end
  local conn = db.connect(name)
  local c = {}
  local function query(sql, params) return db.query(conn, sql, params) end
  local function execute(sql, params) return db.execute(conn, sql, params) end
  c.queries = service.part({ query = query, execute = execute }, "query")
  local function is(sql, value) return #query(sql, { value }) > 0 end
  local function user_exists(user) return is("SELECT 1 AS found FROM pg_roles WHERE rolname = $1", plain("name", user)) end
  local function database_exists(database) return is("SELECT 1 AS found FROM pg_database WHERE datname = $1", plain("name", database)) end
  c.users = service.part({
    exists = user_exists,
    ensure = function(user, password, o)
      if user_exists(user) then return false end
      log.info("postgres: creates the role " .. user)
      execute("CREATE ROLE " .. M.identifier(user) .. " WITH LOGIN PASSWORD " .. M.literal(plain("password", password))
        .. (o and o.createdb and " CREATEDB" or "") .. (o and o.superuser and " SUPERUSER" or ""))
      return true
    end,
  }, "exists")
  c.databases = service.part({
    exists = database_exists,
    ensure = function(database, owner)
      if database_exists(database) then return false end
      log.info("postgres: creates the database " .. database)
      execute("CREATE DATABASE " .. M.identifier(database) .. (owner and " OWNER " .. M.identifier(owner) or ""))
      return true
    end,
    grant = function(database, user, privileges)
      execute("GRANT " .. privileges_of(privileges) .. " ON DATABASE " .. M.identifier(database) .. " TO " .. M.identifier(user))
      return true
    end,
  }, "exists")
  function c.close() end
  service.flat(c, {
    query = { "queries", "query" }, execute = { "queries", "execute" }, user_exists = { "users", "exists" }, ensure_user = { "users", "ensure" },
    database_exists = { "databases", "exists" }, ensure_database = { "databases", "ensure" }, grant = { "databases", "grant" },
  })
  return c
end

-- Both raise the error that explains grants.
M.client_url, M.client_from_vault = function(url) return M.client(url, url) end, function(_, path) return M.client(path, path) end

return M
