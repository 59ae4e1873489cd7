-- Most of them are refused where processes can be counted, and all end with the call.
-- action: a | i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo 1
-- ends: ok 0
-- output: *\tunder way\n
print((pcall(actions.t.a, {})), "under way")
