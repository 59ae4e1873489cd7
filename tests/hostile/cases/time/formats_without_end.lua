-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
while true do local s = ("%99d%-99s"):rep(20):format(table.unpack({ 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x", 1, "x" })) end
