-- The modes that would allow bytecode are refused or do not help.
-- ends: ok 0
-- output: nil\tattempt to load a binary chunk (only text is allowed)\nnil\tattempt to load a binary chunk (mode is 't')\ntrue\tnil\tattempt to load a binary chunk (only text is allowed)\ntrue\tnil\tattempt to load a binary chunk (only text is allowed)\n
print(load("return 1", "x", "b"))
print(load("\27Lua\x55", "x", "bt"))
print(pcall(load, "return 1", "x", 5))
print(pcall(load, "return 1", "x", {}))
