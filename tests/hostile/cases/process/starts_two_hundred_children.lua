-- The default number of children ends with the call; the tests of `limits` cross the limit.
-- action: a | i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
