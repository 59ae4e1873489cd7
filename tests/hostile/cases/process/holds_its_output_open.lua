-- A child that holds stdout open does not hold up the call.
-- action: a | sleep 1000 & echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
