-- The action does not read its parameters.
-- action: a | echo 1
-- ends: ok 0
-- output: 1\n
print(actions.t.a({ s = ("x"):rep(1000):rep(2000) }))
