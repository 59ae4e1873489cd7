-- Of stderr the end is kept.
-- action: a | head -c 20000000 /dev/zero | tr '\0' x >&2; echo end >&2; exit 3
-- ends: ok 0
-- output: failed\ttrue\ttrue\ttrue\n
local _, e = pcall(actions.t.a, {})
print(e.kind, e.message == "end" or #e.message < 70000, #e.detail.stderr <= 65536, e.detail.stderr:sub(-4) == "end\n")
