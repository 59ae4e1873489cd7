-- A plain search for a text that almost matches everywhere.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
local subject, what = ("a"):rep(1 << 22), ("a"):rep(1 << 21) .. "b"
for _ = 1, 1000000 do subject:find(what, 1, true) end
