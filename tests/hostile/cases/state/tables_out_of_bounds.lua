-- Positions and ranges that are none.
-- ends: ok 0
-- output: false\tfalse\tfalse\ttoo many results to unpack\nfalse\tfalse\tfalse\tfalse\tbad argument #2 to 'table.remove' (position out of bounds)\nfalse\tfalse\t0\tfalse\tfalse\tbad argument #1 to 'table.create' (out of range)\nfalse\tfalse\tnil\tfalse\tfalse\tfalse\tfalse\ttable index is NaN\nfalse\tfalse\tfalse\tcannot change a protected metatable\n
print(pcall(table.unpack, {}, 1, 1e8), pcall(table.unpack, {}, math.mininteger, math.maxinteger), pcall(table.unpack, {}, 1, 1e6))
print(pcall(table.move, {}, 1, math.maxinteger, 2), pcall(table.move, {}, -1, math.maxinteger, 2), pcall(table.insert, {}, 5, 1), pcall(table.remove, {}, 9))
print(pcall(table.concat, { 1, {}, 3 }), pcall(table.concat, {}, "", 1, 3), #table.pack(table.unpack({}, 1, 250)), pcall(table.create, -1), pcall(table.create, 2^40))
print(pcall(select, -1), pcall(select, math.mininteger), select(math.maxinteger, 1), pcall(rawlen, 5), pcall(next, {}, "none"), pcall(rawset, {}, nil, 1), pcall(rawset, {}, 0/0, 1))
print(pcall(setmetatable, {}, 5), pcall(ipairs), pcall(setmetatable, setmetatable({}, { __metatable = 1 }), {}))
