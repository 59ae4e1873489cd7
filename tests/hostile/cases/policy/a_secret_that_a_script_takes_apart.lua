-- A script that replaces `secret`, takes a handle apart and sends it elsewhere learns its name alone.
-- options: --timeout 20s
-- action: put params = { token = 'secret?', x = 'any?' } | cat
-- ends: denied 4
-- message: t.put failed: denied by actions/policy.yaml:3 (secrets): t.put may not use the secret `b`
local real = secret
function secret(name) return { ["$secret"] = name } end
local handle = real("a")
for _, shown in ipairs({ tostring(handle), handle .. "", inspect(handle), json.encode(handle), ("%s"):format(handle) }) do
  assert(shown:find("[secret a]", 1, true), shown)
end
assert(getmetatable(handle) == "secret")
assert(not pcall(setmetatable, handle, {}))
for key, value in next, handle do assert(key == "$secret" and value == "a") end
local function fails(params)
  local ok, error = pcall(actions.t.put, params)
  assert(not ok and error.kind == "invalid_params", tostring(error))
end
fails({ x = handle })
fails({ handle })
fails({ x = { { y = secret("a") } } })
fails(handle)
rawset(handle, "$secret", {})
assert(tostring(handle) == "[secret ?]")
rawset(handle, "$secret", "b")
actions.t.put({ token = handle })
---- actions/policy.yaml
version: 1
default: allow
secrets:
  - { use: a, in: t.put }
