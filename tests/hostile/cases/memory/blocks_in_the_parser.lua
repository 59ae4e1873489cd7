-- 200,000 nested blocks and functions, and an else-if chain of as many.
-- ends: ok 0
-- output: nil\tC stack overflow\nnil\tC stack overflow\nnil\tC stack overflow\nfunction: *\n
print(load(("do "):rep(200000), "=s"))
print(load(("local function f() "):rep(200000), "=s"))
print(load(("while x do "):rep(200000), "=s"))
print((load("if x then " .. ("elseif x then "):rep(20000) .. "end", "=s")))
