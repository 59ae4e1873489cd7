-- A fixed size in a packing format.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(string.pack, "c2147483647", "x"))
