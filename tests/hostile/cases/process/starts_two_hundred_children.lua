-- As many children as a call may have by default end with it; what more would do, the tests of `limits` show.
-- action: a | i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
