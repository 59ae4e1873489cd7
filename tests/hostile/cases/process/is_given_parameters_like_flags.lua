-- Parameters reach an action on stdin, and its command line holds nothing of them.
-- action: a | tr '\0' ' ' < /proc/$$/cmdline | grep -c -e evil -e --rm; true
-- ends: ok 0
-- output: 0\n
print(actions.t.a({ ["--rm"] = "--evil", x = "; evil" }))
