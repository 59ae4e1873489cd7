-- Host calls in an endless loop.
-- options: --max-cpu 300ms
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
while true do os.clock() os.time() end
