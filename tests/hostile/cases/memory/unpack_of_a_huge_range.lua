-- More values than the stack holds are an error.
-- options: --max-memory 32MiB
-- ends: ok 0
-- output: false\ttoo many results to unpack\nfalse\tbad argument #1 to 'string.char' (number expected, got nil)\n
print(pcall(table.unpack, {}, 1, 1e9))
print(pcall(string.char, table.unpack({}, 1, 900000)))
