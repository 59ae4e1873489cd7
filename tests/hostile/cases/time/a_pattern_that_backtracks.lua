-- A pattern with many ways to fail.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local ok = pcall(string.find, ("\""):rep(5000), ("(\".-\")"):rep(30) .. "b")
print(ok)
