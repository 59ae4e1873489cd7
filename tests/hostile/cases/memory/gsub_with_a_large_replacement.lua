-- A replacement much longer than the match.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(string.gsub, ("x"):rep(1000), "x", ("y"):rep(1 << 20)))
