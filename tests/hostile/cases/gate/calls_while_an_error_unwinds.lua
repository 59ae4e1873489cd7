-- Closing variables and finalisers may call actions, also while an error passes them.
-- action: echo | cat
-- ends: script 1
-- message: y
-- output: closing\t2\nclosing\t1\nfalse\tx\nfinaliser\t3\nclosing\t4\n
local function closing(n) return setmetatable({}, { __close = function(_, e) print("closing", actions.t.echo({ n = n }).n) end }) end
print(pcall(function() local a <close> = closing(1) local b <close> = closing(2) error("x", 0) end))
setmetatable({}, { __gc = function() print("finaliser", actions.t.echo({ n = 3 }).n) end })
collectgarbage()
parallel(function() local a <close> = closing(4) error("y", 0) end, function() actions.t.echo({}) end)
