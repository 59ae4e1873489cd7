-- An iterator over a large subject, again and again.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
while true do for _ in (("a b "):rep(10000)):gmatch("%a*") do end end
