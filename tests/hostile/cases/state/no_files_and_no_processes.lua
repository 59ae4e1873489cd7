-- What touches the system is not there.
-- ends: ok 0
-- output: nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\ttrue\nclock date difftime exit time\n
print(io, dofile, loadfile, os.execute, os.getenv, os.remove, os.rename, os.tmpname, os.setlocale, os.clock ~= nil)
local names = {}
for name in pairs(os) do names[#names + 1] = name end
table.sort(names)
print(table.concat(names, " "))
