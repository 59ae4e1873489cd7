-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
print(("("):rep(1 << 20):find("%b()"))
