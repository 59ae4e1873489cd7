-- A script that is bytecode behind a line that Lua skips does not load.
-- ends: syntax 1
-- message: script.lua:3: syntax error near <eof>
print("not reached")
---- script.lua
#!/usr/bin/lua
Lua
