-- Many children end with the call.
-- action: a | i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
