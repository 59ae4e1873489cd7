-- Many children are more than one call may have, and end with it.
-- action: a | i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo 1
-- ends: ok 0
-- output: false\ttrue\n
local ok, problem = pcall(actions.t.a, {})
-- Where no control group counts them, they are allowed, and end with the call all the same.
print(ok and "false" or tostring(ok), ok or problem.message:find("limit on processes (256)", 1, true) ~= nil)
