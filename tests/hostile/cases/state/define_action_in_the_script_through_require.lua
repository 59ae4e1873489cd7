-- The repo's modules that are loaded by the script define nothing.
-- ends: ok 0
-- output: false\tactions/late.lua:1: attempt to call a nil value (global 'define_action')\n
print(pcall(require, "late"))
---- actions/init.lua
return {}
---- actions/late.lua
return define_action({ source = "/bin", entrypoint = "sh", executor = "native" })
