-- The same for a daemon's double fork.
-- action: a | (setsid sh -c 'setsid sh -c "trap \"\" TERM HUP; sleep 1000" & exec sleep 1000' > /dev/null 2>&1 < /dev/null &) ; echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
