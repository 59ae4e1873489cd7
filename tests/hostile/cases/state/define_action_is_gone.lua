-- A script has no define_action.
-- action: echo | cat
-- ends: script 1
-- message: script.lua:7: attempt to call a nil value (global 'define_action')
-- output: nil\tnil\n
print(define_action, rawget(_G, "define_action"))
define_action({ source = "/", executor = "native" })
