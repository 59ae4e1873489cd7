-- Calls that are cancelled as soon as they are made.
-- action: slow | sleep 1000
-- ends: ok 0
-- output: on\n
for i = 1, 200 do race(function() actions.t.slow({}) end, function() return 1 end) end
print("on")
