-- Nothing that buries a locked key gets past it.
-- action: echo locked = { auth = { role = "ro", deep = { x = 1 } } } | cat
-- ends: ok 0
-- output: false\tt.echo failed: parameter `auth.role` is locked by the team\nfalse\tt.echo failed: parameter `auth.role` is locked by the team\nfalse\tt.echo failed: parameter `auth` is locked by the team\nfalse\tt.echo failed: parameter `auth` is locked by the team\nfalse\tt.echo failed: parameter `auth` is locked by the team\nfalse\tt.echo failed: parameter `auth` is locked by the team\nfalse\tt.echo failed: parameter `auth` is locked by the team\nfalse\tt.echo failed: parameter `auth.deep.x` is locked by the team\nfalse\tt.echo failed: parameter `auth.deep` is locked by the team\nfalse\tt.echo failed: parameter `auth.deep` is locked by the team\n{"auth":{"deep":{"x":1,"y":2},"role":"ro","user":"x"}}\t{"auth":{"deep":{"x":1},"role":"ro"}}\t{"auth":{"deep":{"x":1},"role":"ro"}}\n
local echo = actions.t.echo
for _, auth in ipairs { { role = "rw" }, { role = { role = "ro" } }, 5, "ro", { 1 }, json.array{}, json.null, { deep = { x = 2 } }, { deep = 1 }, { deep = { 1 } } } do
  print(pcall(echo, { auth = auth }))
end
print(json.encode(echo({ auth = { user = "x", deep = { y = 2 } } })), json.encode(echo({ auth = {} })), json.encode(echo({})))
