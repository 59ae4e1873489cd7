-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
print(pcall(string.match, ("a"):rep(40), ("a*"):rep(30) .. "b"))
