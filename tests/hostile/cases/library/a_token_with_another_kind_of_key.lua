-- A token that says which algorithm to check it with is not believed: no signature, a public key as a shared one, an empty key.
-- action: unused | cat
-- ends: ok 0
-- output: 0\n
local passed = 0
local function try(token, key, opts)
  if pcall(crypto.jwt_verify, token, key, opts) then passed = passed + 1 end
end
local public = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
local function part(value) return base64.encode(json.encode(value), { url = true }) end
local claims = part { exp = 4000000000 }
for _, algorithm in ipairs { "none", "None", "nOnE", "HS256", "RS256", "ES256", "" } do
  local head = part { alg = algorithm, typ = "JWT" }
  for _, signature in ipairs { "", "AAAA" } do
    for _, key in ipairs { public, "", { keys = json.array() }, { kty = "oct", k = "" } } do
      try(head .. "." .. claims .. "." .. signature, key, { validate_exp = false, required_claims = json.array() })
    end
  end
end
print(passed)
