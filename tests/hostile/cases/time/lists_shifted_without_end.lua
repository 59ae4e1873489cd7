-- options: --max-cpu 300ms
-- ends: limit 5
-- message: the script computed for *s, and may for 300ms
-- One call moves millions of elements.
local list = table.pack(("x"):rep(1 << 20):byte(1, 200000))
for i = 1, 2000000 do list[i] = i end
while true do
  table.insert(list, 1, 0)
  table.remove(list, 1)
end
