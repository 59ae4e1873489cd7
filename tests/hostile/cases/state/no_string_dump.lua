-- Nothing makes bytecode.
-- ends: ok 0
-- output: nil\tnil\tnil\nfalse\tscript.lua:5: attempt to call a nil value (method 'dump')\n
print(string.dump, ("").dump, string["dump"])
print(pcall(function() return ("x"):dump() end))
