-- The runtime's functions refuse values of wrong types, with the script's line.
-- ends: ok 0
-- output: false\tfalse\tfalse\tfalse\tfalse\tfalse\trace: at least one function is needed\nfalse\tfalse\tfalse\tfalse\tfalse\tjson.encode: $ is a function, which JSON cannot hold\nfalse\t0\n
print(pcall(keys, 5), pcall(pluck, nil, 1), pcall(count, "x"), pcall(parallel, 5), pcall(race), pcall(race, {}))
print(pcall(json.decode, 5), pcall(json.decode, "1", 5), pcall(json.array, 5), pcall(json.array, setmetatable({}, {})), pcall(json.encode, print))
print(pcall(inspect, {}, "x"), #keys(setmetatable({}, { __pairs = function() while true do end end })))
