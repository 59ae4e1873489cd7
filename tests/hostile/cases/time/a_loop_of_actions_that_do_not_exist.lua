-- Errors at the gate, caught in an endless loop.
-- options: --max-cpu 300ms
-- action: echo | cat
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
while true do pcall(function() return actions.t.missing end) end
