-- `package` has preload and loaded, and nothing that looks at files.
-- ends: ok 0
-- output: loaded preload\nnil\tnil\tnil\tnil\tnil\tnil\n
local names = {}
for name in pairs(package) do names[#names + 1] = name end
table.sort(names)
print(table.concat(names, " "))
print(package.loadlib, package.cpath, package.path, package.searchers, package.searchpath, package.config)
