-- The limit on time holds while an action runs, and ends it.
-- options: --timeout 400ms
-- action: slow | sleep 1000
-- ends: limit 5
-- message: the run took longer than the 400ms it may take (it was ended after *s)
pcall(actions.t.slow, {})
print("not reached")
