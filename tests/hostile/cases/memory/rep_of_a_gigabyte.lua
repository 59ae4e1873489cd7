-- One string that is larger than the limit.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(string.rep, "x", 1e9))
