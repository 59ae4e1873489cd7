-- stdout that is closed and given to another program.
-- action: a | exec 3>&1 >&- 2>&-; exec 1>&3; echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({}))
