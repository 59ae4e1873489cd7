-- The action has its three pipes and what it opens itself.
-- action: a | ls /proc/self/fd | wc -l
-- ends: ok 0
-- output: 4\n
print(actions.t.a({}))
