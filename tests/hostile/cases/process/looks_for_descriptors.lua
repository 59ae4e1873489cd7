-- The action has only its three pipes and the files that it opens.
-- action: a | ls /proc/self/fd | wc -l
-- ends: ok 0
-- output: 4\n
print(actions.t.a({}))
