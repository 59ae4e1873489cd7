-- JSON that nests deeper than any value may.
-- ends: ok 0
-- output: false\tjson.decode: nests deeper than 128 at line 1 column 129\nfalse\tjson.decode: nests deeper than 128 at line 1 column 641\ntrue\tjson.array: *\nfalse\tjson.decode: nests deeper than 128 at line 1 column 130\n
local text = ("["):rep(1000000)
print(pcall(json.decode, text))
print(pcall(json.decode, ('{"a":'):rep(1000000)))
print(pcall(json.decode, ("["):rep(128) .. ("]"):rep(128)))
print(pcall(json.decode, ("["):rep(129) .. ("]"):rep(129)))
