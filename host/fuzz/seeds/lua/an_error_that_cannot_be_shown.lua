print(pcall(tostring, setmetatable({}, { __tostring = function() return 5 end })))
print(pcall(tostring, setmetatable({}, { __tostring = function() error("x", 0) end })))
print(pcall(print, setmetatable({}, { __tostring = function() coroutine.yield() end })))
error(setmetatable({}, { __tostring = function() return {} end }))
