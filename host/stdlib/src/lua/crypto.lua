-- `crypto`: digests, random texts and JSON web tokens. Digests are made in the sandbox; tokens are
-- signed and checked by the actions `kael.crypto.*`, because a key may be a secret.
local kael = ...
local act, fail, digest = kael.act, kael.fail, kael.digest
local crypto = {}

local function hex(bytes) return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end
local function check(what, at, value)
  if type(value) ~= "string" then fail(("crypto.%s: expected a string as argument %d, got %s"):format(what, at, type(value))) end
end
local function made(what, algorithm, key, bytes)
  local name = tostring(algorithm or "sha256"):lower():gsub("^sha%-(%d)", "sha%1"):gsub("^sha3_", "sha3-")
  local found, names = digest(name, key, bytes)
  return found or fail("crypto." .. what .. ': no algorithm "' .. name .. '": there are ' .. names)
end

-- The digest of a text in hexadecimal: sha256, unless another algorithm is named.
function crypto.hash(text, algorithm)
  check("hash", 1, text)
  return hex(made("hash", algorithm, nil, text))
end
-- The same with a key; with `raw` as bytes.
function crypto.hmac(key, text, algorithm, raw)
  check("hmac", 1, key)
  check("hmac", 2, text)
  local bytes = made("hmac", algorithm, key, text)
  return raw and bytes or hex(bytes)
end
-- The digest of a file that the policy opens.
function crypto.hash_file(path, algorithm)
  check("hash_file", 1, path)
  return crypto.hash(fs.read_bytes(path), algorithm)
end

local function random(bytes)
  local ok, text = kael.call("kael.random", { bytes = bytes })
  return ok and (text:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end)) or fail("crypto: " .. tostring(text))
end
local LETTERS <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
-- So many random letters and digits: 32 without a number.
function crypto.random(length)
  if length == nil then length = 32 end
  if math.type(length) ~= "integer" or length < 1 or length > 4096 then fail("crypto.random: the length is a whole number from 1 to 4096") end
  local letters = {}
  while #letters < length do
    for byte in random(64):gmatch(".") do
      -- Of 256 values the last 8 would make some letters more likely.
      local value = byte:byte()
      if value < 248 and #letters < length then letters[#letters + 1] = LETTERS:sub(value % 62 + 1, value % 62 + 1) end
    end
  end
  return table.concat(letters)
end
-- So many random bytes.
function crypto.random_bytes(length)
  if math.type(length) ~= "integer" or length < 1 or length > 65536 then
    fail("crypto.random_bytes: the length is a whole number from 1 to 65536")
  end
  return random(length)
end
-- A random UUID (version 4).
function crypto.uuid()
  local bytes = random(16)
  local text = hex(bytes:sub(1, 6) .. string.char(bytes:byte(7) & 0x0f | 0x40) .. bytes:sub(8, 8)
    .. string.char(bytes:byte(9) & 0x3f | 0x80) .. bytes:sub(10))
  return (text:gsub("^(........)(....)(....)(....)(.*)$", "%1-%2-%3-%4-%5"))
end

-- The header and the claims of a token, which are not checked.
function crypto.jwt_decode(token)
  check("jwt_decode", 1, token)
  local header, claims = token:match("^([%w_-]+)%.([%w_-]+)%.[%w_-]*$")
  if not header then fail("crypto.jwt_decode: a token has three parts of letters, digits, `-` and `_`, with dots between them") end
  local function part(text, what)
    local ok, value = pcall(function() return json.decode(base64.decode(text)) end)
    return ok and type(value) == "table" and value or fail("crypto.jwt_decode: the " .. what .. " is no JSON object")
  end
  return { header = part(header, "header"), claims = part(claims, "claims") }
end

-- A key as a parameter: a text, a table of keys (JWKS), or the handle of a secret.
local function with_key(what, params, key)
  if key == nil then fail("crypto." .. what .. ": the key is missing") end
  local is_secret = type(key) == "table" and getmetatable(key) == "secret"
  params[is_secret and "secret" or "key"] = key
  return params
end
-- Signs claims. The key is a text (PEM, but for HS256, HS384 and HS512), or `secret("NAME")`.
function crypto.jwt_sign(claims, key, algorithm, opts)
  if type(claims) ~= "table" then fail("crypto.jwt_sign: expected a table of claims, got " .. type(claims)) end
  local params = { claims = claims, algorithm = algorithm or opts and opts.algorithm, kid = opts and opts.kid }
  return act("kael.crypto.jwt_sign", with_key("jwt_sign", params, key))
end

local OPTIONS <const> = {
  algorithm = true, audience = true, issuer = true, leeway = true, validate_exp = true, validate_nbf = true, required_claims = true,
}
-- Checks a token: { header, claims }, or an error.
function crypto.jwt_verify(token, key, opts)
  check("jwt_verify", 1, token)
  local params, names = { token = token }, {}
  for name in next, OPTIONS do names[#names + 1] = name end
  for name, value in next, opts or {} do
    if not OPTIONS[name] then
      local near = kael.nearest(tostring(name), names)
      fail("crypto.jwt_verify: no option `" .. tostring(name) .. "`" .. (near and " (did you mean `" .. near .. "`?)" or ""))
    end
    params[name] = value
  end
  return act("kael.crypto.jwt_verify", with_key("jwt_verify", params, key))
end

return crypto
