-- A value of which a condition has no answer decides against the script: for `deny` it holds, for `allow` it does not.
-- action: scale | cat
-- action: put | cat
-- ends: ok 0
-- output: true\ttrue\ntrue\ttrue\ntrue\ttrue\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tinvalid_params\nfalse\tdenied\nput\ntrue\ttrue\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\n
local function call(action, params)
  local ok, why = pcall(action, params)
  print(ok, ok or why.kind)
end
for _, n in ipairs({ 10, -0.0, math.mininteger, 11, 1e308, "11", "1", "", " 1", json.null, true, {}, { 1 }, { n = 1 } }) do
  call(actions.t.scale, { n = n })
end
call(actions.t.scale, {})
call(actions.t.scale, { N = 1 })
call(actions.t.scale, { ["n "] = 1 })
call(actions.t.scale, { ["n\0"] = 1 })
call(actions.t.scale, { n = 0 / 0 })
call(actions.t.scale, setmetatable({}, { __index = { n = 1 } }))
print("put")
call(actions.t.put, { target = { env = "dev" } })
call(actions.t.put, { target = { env = "prod" } })
call(actions.t.put, { target = { env = "prod" }, ["target.env"] = "dev" })
call(actions.t.put, { target = { env = { "prod" } } })
call(actions.t.put, { target = { { env = "prod" } } })
call(actions.t.put, { target = { env = setmetatable({}, { __tostring = function() return "prod" end }) } })
---- actions/policy.yaml
version: 1
default: allow
rules:
  - deny: t.scale
    when: { n: { over: 10 } }
  - deny: t.put
    when: { target.env: prod }
