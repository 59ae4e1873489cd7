-- A seed that one run sets is gone in the next.
-- ends: ok 0
-- output: true\n
math.randomseed(1, 2)
local a = math.random(1 << 30)
math.randomseed(1, 2)
print(a == math.random(1 << 30))
