-- Bytecode that a reader function hands over piece by piece is refused, too.
-- ends: ok 0
-- output: nil\tattempt to load a binary chunk (mode is 't')\nnil\tattempt to load a binary chunk (mode is 't')\n
local pieces, at = { "\27", "Lua", "\x55\0" }, 0
print(load(function() at = at + 1 return pieces[at] end, "x"))
at = 0
print(load(function() at = at + 1 return pieces[at] end, "x", "bt"))
