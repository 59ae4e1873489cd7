-- The debug library has one function left.
-- ends: ok 0
-- output: traceback\tfunction\ntrue\ttrue\nnil\tnil\tnil\tnil\tnil\tnil\n
for name, value in pairs(debug) do print(name, type(value)) end
print(package.loaded.debug == debug, require("debug") == debug)
print(debug.getregistry, debug.sethook, debug.getupvalue, debug.setmetatable, debug.getinfo, debug.getlocal)
