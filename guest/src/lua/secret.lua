-- Handles of secrets. `secret("deploy/token")` stands for a value that only the host has: it can be
-- passed as a parameter that a definition declares as a secret. Shown or encoded, it is its name.
local kael = ...
local type, setmetatable, rawget, fail, metatable = type, setmetatable, rawget, kael.fail, kael.metatable

local handle_mt = kael.secret_mt
local function text_of(handle)
  local name = rawget(handle, "$secret")
  return "[secret " .. (type(name) == "string" and name or "?") .. "]"
end
handle_mt.__name = "secret"
handle_mt.__metatable = "secret"
handle_mt.__tostring = text_of
function handle_mt.__len(handle) return #text_of(handle) end
function handle_mt.__concat(a, b)
  if metatable(a) == handle_mt then a = text_of(a) end
  if metatable(b) == handle_mt then b = text_of(b) end
  return a .. b
end

function secret(name)
  if type(name) ~= "string" then fail("secret: expected the name of a secret, got " .. type(name)) end
  return setmetatable({ ["$secret"] = name }, handle_mt)
end
