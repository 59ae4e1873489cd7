-- A loop that swallows errors.
-- options: --max-cpu 200ms
-- ends: limit 5
-- message: the script computed for *s, and may for 200ms
while true do pcall(error, "x") end
