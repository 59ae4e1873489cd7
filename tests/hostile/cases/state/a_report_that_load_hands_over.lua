-- What `load` says of a parser that gives up is a text, and no handle on a report.
-- ends: script 1
-- message: (error object is a table value)
-- output: nil\tstring\tC stack overflow\nnil\ttrue\nnil\tx\n
local f, problem = load("return " .. ("("):rep(1000), "=s")
print(f, type(problem), problem)
local other = {}
f, problem = load(function() error(other) end)
print(f, problem == other)
print(load(function() error("x", 0) end))
error(problem)
