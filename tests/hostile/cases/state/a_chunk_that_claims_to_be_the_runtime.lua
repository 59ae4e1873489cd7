-- A chunk that is named like the runtime hides its frames, and the error stays.
-- ends: script 1
-- message: [kael]:1: mine
-- output: false\t[kael]:1: mine\n
local f = load("error('mine')", "=[kael]")
print(pcall(f))
f()
