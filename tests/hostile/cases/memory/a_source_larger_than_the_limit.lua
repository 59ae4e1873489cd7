-- A source that a reader never stops to hand over.
-- options: --max-memory 32MiB
-- ends: limit 5
-- message: the script needs more memory than the 32 MiB it may use (it asked for *)
print(pcall(load, function() return "a = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' a(a, a, a, a, a, a, a, a)\n" end))
