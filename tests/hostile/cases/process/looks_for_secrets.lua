-- Nothing of the host's environment is in the action's, nor in its parent's: only the variables of the call.
-- action: a | n=$( { env; cat /proc/$PPID/environ /proc/1/environ; } 2>/dev/null | tr '\0' '\n' | grep -v -e '^KAEL_RUN=' -e '^KAEL_CALL=' -e '^KAEL_ATTEMPT=' -e '^KAEL_IDEMPOTENCY_KEY=' | grep -c -e '^CARGO' -e '^KAEL' -e '^RUST'); echo "$n"
-- ends: ok 0
-- output: 0\n
print(actions.t.a({}))
