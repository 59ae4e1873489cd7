-- Room asked for and not used.
-- options: --max-memory 32MiB
-- ends: ok 0
-- output: false\ttable overflow\n
print(pcall(table.create, 1e9))
