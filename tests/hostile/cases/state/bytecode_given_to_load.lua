-- `load` refuses bytecode, which can crash the interpreter.
-- ends: ok 0
-- output: nil\tattempt to load a binary chunk (mode is 't')\n
print(load("\27Lua\x55\0\x19\x93\r\n\x1a\n"))
