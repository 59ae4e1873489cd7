-- A locked key is that key in every case; other spellings are other keys, and the team's value stays.
-- action: echo locked = { tenant = "acme", auth = { role = "ro" } } | cat
-- ends: ok 0
-- output: {"auth":{"role":"ro"},"auth.role":"rw","tenant":"acme","tenant\u0000":"evil","tenant ":"evil"}\nfalse\tt.echo failed: parameter `TENANT` is locked by the team, in another case\nfalse\tt.echo failed: parameter `tenant` is locked by the team\nfalse\tt.echo failed: parameter `tenant` is locked by the team\nfalse\tt.echo failed: parameter `tenant` is locked by the team\nfalse\tt.echo failed: parameter `tenant` is locked by the team\n
local echo = actions.t.echo
print(json.encode(echo({ ["tenant "] = "evil", ["auth.role"] = "rw", ["tenant\0"] = "evil" })))
print(pcall(echo, { TENANT = "evil" }))
print(pcall(echo, { tenant = "evil" }))
print(pcall(echo, { tenant = "acme" }))
print(pcall(echo, { tenant = json.null }))
print(pcall(echo, { ["tenant"] = {} }))
