-- 200,000 nested parentheses.
-- ends: ok 0
-- output: nil\tC stack overflow\n
print(load("return " .. ("("):rep(200000) .. "1" .. (")"):rep(200000), "=s"))
