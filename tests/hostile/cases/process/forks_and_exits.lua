-- What is left in the background ends with the call.
-- action: a | sleep 1000 & sleep 1000 & echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
