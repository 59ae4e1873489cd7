-- `package` has preload, loaded and three texts that change nothing, and nothing that looks at files.
-- ends: ok 0
-- output: config cpath loaded path preload\nnil\t\t./?.lua;./?/init.lua\tnil\tnil\t/\n;\n?\n!\n-\n\n
local names = {}
for name in pairs(package) do names[#names + 1] = name end
table.sort(names)
print(table.concat(names, " "))
print(package.loadlib, package.cpath, package.path, package.searchers, package.searchpath, package.config)
