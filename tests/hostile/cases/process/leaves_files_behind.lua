-- Every call has a new and empty folder for temporary files.
-- action: a | ls -A "$TMPDIR" | wc -l; mkdir -p "$TMPDIR/a/b"; : > "$TMPDIR/a/b/c"; chmod 000 "$TMPDIR/a/b"
-- ends: ok 0
-- output: 0\t0\n
print(actions.t.a({}), actions.t.a({}))
