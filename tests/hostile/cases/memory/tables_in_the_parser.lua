-- 200,000 nested table constructors.
-- ends: ok 0
-- output: nil\tC stack overflow\n
print(load("return " .. ("{"):rep(200000) .. ("}"):rep(200000), "=s"))
