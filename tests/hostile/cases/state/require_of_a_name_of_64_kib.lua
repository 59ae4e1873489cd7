-- A name of 64 KiB is cut where it is shown.
-- ends: ok 0
-- output: false\ttrue\txxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n
local ok, problem = pcall(require, ("x"):rep(65536))
print(ok, #problem < 1500, (problem:match("module '(x+%.%.%.)'")))
