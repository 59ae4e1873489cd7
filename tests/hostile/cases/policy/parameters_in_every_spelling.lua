-- No spelling of a parameter passes a rule that its value does not.
-- action: scale | cat
-- ends: ok 0
-- output: {"env":"dev","n":10}\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\nfalse\tdenied\n
local function call(params)
  local ok, why = pcall(actions.t.scale, params)
  print(ok, why.kind)
end
print(json.encode(actions.t.scale({ n = 10, env = "dev" })))
call({ n = "10", env = "dev" })
call({ n = json.null, env = "dev" })
call({ n = { 1 }, env = "dev" })
call({ n = math.maxinteger, env = "dev" })
call({ n = 10.000001, env = "dev" })
call({ n = 1, env = "Dev" })
call({ n = 1, env = "d\u{435}v" })
call({ N = 1, env = "dev" })
call({})
---- actions/policy.yaml
version: 1
rules:
  - allow: t.scale
    when: { n: { at_most: 10 }, env: dev }
