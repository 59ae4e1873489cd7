local f, problem = load("return " .. ("("):rep(1000), "=s")
print(f, type(problem), problem)
local other = {}
f, problem = load(function() error(other) end)
print(f, problem == other)
print(load(function() error("x", 0) end))
error(problem)
