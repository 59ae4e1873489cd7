-- Everything a script can leave anywhere; the good script after it must see none of it.
-- ends: ok 0
-- output: left\n
a_global, string.extra, table.extra, coroutine.extra = 1, 1, 1, 1
package.loaded.extra, package.preload.extra = 1, function() end
getmetatable("").__index = setmetatable({}, { __index = string })
getmetatable("").__extra = 1
getmetatable(json.array()).__extra = 1
setmetatable(_G, { __index = function() return 1 end })
json.encode, print2, print = nil, print, function() end
os, debug, math, utf8 = nil, nil, nil, nil
collectgarbage("stop")
math_randomseed = math
print2("left")
