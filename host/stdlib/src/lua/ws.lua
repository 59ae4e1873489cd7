-- WebSockets to the servers that the policy opens (`to: ["wss://…"]`).
local kael = ...
local act, fail, nearest = kael.act, kael.fail, kael.nearest
local ws = {}

local connection_mt = { __name = "ws.connection", __index = {} }
function connection_mt.__tostring(connection) return "ws.connection: " .. connection.url end

local OPTIONS = { "headers", "subprotocols", "timeout", "auth" }
local known = {}
for _, name in ipairs(OPTIONS) do known[name] = true end

-- Opens a socket. Options: `headers`, `subprotocols`, `timeout`, `auth`.
function ws.connect(url, opts)
  if type(url) ~= "string" then fail("ws.connect: the URL must be a string, got " .. type(url)) end
  if opts ~= nil and type(opts) ~= "table" then fail("ws.connect: the options must be a table such as { headers = {} }, got " .. type(opts)) end
  local headers, params = {}, { url = url }
  for name in next, opts or {} do
    if not known[name] then
      local near = type(name) == "string" and nearest(name, OPTIONS)
      fail("ws.connect: no option '" .. tostring(name) .. "'" .. (near and " (did you mean '" .. near .. "'?)" or
        " (there are: " .. table.concat(OPTIONS, ", ") .. ")"))
    end
  end
  opts = opts or {}
  for name, value in next, opts.headers or {} do headers[tostring(name)] = type(value) == "number" and tostring(value) or value end
  local auth = opts.auth
  if auth ~= nil then
    if type(auth) ~= "table" or not (auth.token or auth.username) then
      fail("ws.connect: `auth` is { token = … } or { username = …, password = … }")
    end
    if auth.token then headers.Authorization = "Bearer " .. auth.token else params.basic = { username = auth.username, password = auth.password or "" } end
  end
  if next(headers) then params.headers = headers end
  if opts.subprotocols and next(opts.subprotocols) then params.protocols = opts.subprotocols end
  params.timeout = opts.timeout
  local answer = act("kael.ws.open", params)
  if answer.protocol == kael.null then answer.protocol = nil end
  return setmetatable({ url = url, socket = answer.socket, subprotocol = answer.protocol }, connection_mt)
end

local function check(what, connection)
  if getmetatable(connection) ~= connection_mt then fail("ws." .. what .. ": expected a connection of ws.connect, got " .. type(connection)) end
  if connection.over then fail("ws." .. what .. ": connection closed") end
end

-- Sends a text.
function ws.send(connection, text)
  check("send", connection)
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then fail("ws.send: expected a text, got " .. type(text)) end
  if not utf8.len(text) then fail("ws.send: the text is no UTF-8: use ws.send_binary for bytes") end
  act("kael.ws.send", { socket = connection.socket, text = text })
end
-- Sends bytes.
function ws.send_binary(connection, bytes)
  check("send_binary", connection)
  if type(bytes) ~= "string" then fail("ws.send_binary: expected a string, got " .. type(bytes)) end
  act("kael.ws.send", { socket = connection.socket, bytes = as_chars(bytes) })
end
-- The next message, and "text" or "binary". With a timeout in seconds nil, when none has come by then;
-- an error when the other side has closed the socket.
function ws.recv(connection, opts)
  check("recv", connection)
  local timeout = opts
  if type(opts) == "table" then timeout = opts.timeout end
  if timeout ~= nil and (type(timeout) ~= "number" or not (timeout > 0)) then fail("ws.recv: `timeout` is a number of seconds above 0") end
  while true do
    local wait = timeout and math.min(timeout, 60) or 60
    local got = act("kael.ws.receive", { socket = connection.socket, wait = wait })
    if got.closed then
      connection.over, connection.code, connection.reason = true, got.code, got.reason
      fail("ws.recv: connection closed (" .. got.code .. (got.reason ~= "" and ": " .. got.reason or "") .. ")")
    end
    if got.text then return got.text, "text" end
    if got.bytes then return as_bytes(got.bytes), "binary" end
    if timeout then
      timeout = timeout - wait
      if timeout <= 0 then return nil end
    end
  end
end
-- The protocol that the server has chosen, or nil.
function ws.protocol(connection)
  if getmetatable(connection) ~= connection_mt then fail("ws.protocol: expected a connection of ws.connect, got " .. type(connection)) end
  return connection.subprotocol
end
-- Closes the socket. One that is closed stays so.
function ws.close(connection, code, reason)
  if getmetatable(connection) ~= connection_mt then fail("ws.close: expected a connection of ws.connect, got " .. type(connection)) end
  if connection.over then return end
  connection.over = true
  act("kael.ws.close", { socket = connection.socket, code = code, reason = reason })
end

-- What is wrong with a call is an error of the line that made it.
local function returned(ok, first, ...)
  if ok then return first, ... end
  if type(first) == "string" then error((first:gsub("^%[kael%]:%d+: ", "")), 3) end
  error(first, 0)
end
for name, method in next, ws do
  ws[name] = function(...) return returned(pcall(method, ...)) end
  if name ~= "connect" then connection_mt.__index[name] = ws[name] end
end
return ws
