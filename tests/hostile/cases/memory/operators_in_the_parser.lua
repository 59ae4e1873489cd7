-- 200,000 prefix operators, concatenations and powers.
-- ends: ok 0
-- output: nil\tC stack overflow\nnil\tC stack overflow\nnil\tC stack overflow\nnil\tC stack overflow\nfunction: *\n
print(load("return " .. ("not "):rep(200000) .. "1", "=s"))
print(load("return " .. ("-"):rep(1):rep(200000, " ") .. "1", "=s"))
print(load("return 1" .. (" .. 1"):rep(200000), "=s"))
print(load("return 1" .. (" ^ 1"):rep(200000), "=s"))
print((load("return 1" .. (" + 1"):rep(200000), "=s")))
