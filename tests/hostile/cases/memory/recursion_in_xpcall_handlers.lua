-- A message handler that raises again and again.
-- ends: ok 0
-- output: false\terror in error handling\nfalse\n
local function handler(e) error(e) end
print(xpcall(error, handler, "x"))
local function nest(e) return select(2, xpcall(error, nest, e)) end
print((xpcall(error, nest, "x")))
