-- Arithmetic at the ends of the integers and of the floats.
-- ends: ok 0
-- output: true\ttrue\t0\tfalse\tscript.lua:4: attempt to divide by zero\n0\t0\t0\t-2\tfalse\tinf\ttrue\n9223372036854775806\n9223372036854775807\n-9223372036854775808\n-9223372036854775807\nfalse\tfalse\tnil\t-0.0\t-15\ninf\t-1\tinf\t35\tfalse\tbad argument #2 to 'tonumber' (base out of range)\n
print(math.maxinteger + 1 == math.mininteger, math.mininteger // -1 == math.mininteger, math.mininteger % -1, pcall(function() return 1 // 0 end))
print(1 << 64, 1 << -1, 1 >> 63, math.maxinteger << 1, pcall(function() return 1 % 0 end), 2^1024, -(0/0) ~= -(0/0))
for i = math.maxinteger - 1, math.maxinteger do print(i) end
for i = math.mininteger, math.mininteger + 1 do print(i) end
print(pcall(function() for i = 1, 10, 0 do end end), pcall(math.random, 2, 1), math.tointeger(2^63), tostring(-0.0), 0x7fffffffffffffff1)
print(tonumber(("9"):rep(10000)), tonumber("0x" .. ("f"):rep(1000)), tonumber("1e" .. ("9"):rep(400)), tonumber("z", 36), pcall(tonumber, "1", 99))
