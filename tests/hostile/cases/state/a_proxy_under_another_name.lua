-- An action that is moved in the tree is still the action it was.
-- action: echo | cat
-- action: drop | cat
-- options: --deny t.drop
-- ends: denied 4
-- message: t.drop failed: denied by the policy (deny t.drop)
-- output: false\tt.drop failed: denied by the policy (deny t.drop)\n
actions.t.safe = actions.t.drop
actions.t.echo = actions.t.drop
print(pcall(actions.t.safe, {}))
actions.t.echo({})
