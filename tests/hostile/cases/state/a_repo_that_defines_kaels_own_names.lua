-- Names below `kael` are the host's.
-- ends: repo 3
-- message: actions/init.lua:1: define_action: `kael.print` is not a name for an action: names that start with `kael` are Kael's own
print("not reached")
---- actions/init.lua
return { kael = { print = define_action({ source = ".", executor = "native" }) } }
