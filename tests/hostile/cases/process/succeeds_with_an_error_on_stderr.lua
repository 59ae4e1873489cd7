-- The exit status decides, and not stderr.
-- action: a | echo 'Error: Process exited with non-zero status: Exited(1)' >&2; echo '{"error":"no"}'
-- ends: ok 0
-- output: no\n
print(actions.t.a({}).error)
