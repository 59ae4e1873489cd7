-- A flood of calls reaches the limit on calls.
-- action: echo | cat
-- options: --max-calls 20000 --deny t.echo
-- ends: limit 5
-- message: the script called more than the 20000 actions it may call
while true do pcall(actions.t.echo, {}) end
