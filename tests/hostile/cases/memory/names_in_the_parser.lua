-- More locals, upvalues, constants and labels than a function has.
-- ends: ok 0
-- output: nil\ts:1: too many local variables (limit is 200) in main function near 'local'\nfunction: *\nnil\nnil\ts:1: too many registers (limit is 255) in main function near 'a'\ntrue\n
local function many(n, f) local t = {} for i = 1, n do t[i] = f(i) end return table.concat(t, " ") end
print(load(many(300, function(i) return "local a" .. i end), "=s"))
print((load("return {" .. many(100000, function(i) return i .. ".5," end) .. "}", "=s")))
print((load(many(20000, function(i) return "::l" .. i .. "::" end), "=s")))
print(load("f(" .. ("a,"):rep(300) .. "a)", "=s"))
print(load("local a = " .. ("a."):rep(100000) .. "a", "=s") ~= nil)
