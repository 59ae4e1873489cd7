-- One print of more than the instance can join.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
local piece = ("x"):rep(1 << 22)
print(piece, piece, piece, piece, piece, piece, piece, piece)
