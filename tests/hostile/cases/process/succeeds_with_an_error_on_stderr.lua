-- The exit status decides, not what is written where.
-- action: a | echo 'Error: Process exited with non-zero status: Exited(1)' >&2; echo '{"error":"no"}'
-- ends: ok 0
-- output: no\n
print(actions.t.a({}).error)
