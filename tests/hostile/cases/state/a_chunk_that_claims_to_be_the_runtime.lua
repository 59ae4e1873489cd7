-- The runtime's own frames are hidden: no other chunk has its name.
-- ends: script 1
-- message: (kael):1: mine
-- output: false\t(kael):1: mine\n(kael):1: in \n(kael)x:1: in \n
local f = load("error('mine')", "=[kael]")
print(pcall(f))
for _, name in ipairs { "=[kael]", "@[kael]x" } do
  print((load("return (debug.traceback())", name)():match("\n\t([^\n]-in )")))
end
f()
