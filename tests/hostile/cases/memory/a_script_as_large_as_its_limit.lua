-- A limit that the sandbox itself does not fit into.
-- options: --max-memory 64KiB
-- ends: limit 5
-- message: the script needs more memory than the 64 KiB it may use (it asked for *)
print("not reached")
