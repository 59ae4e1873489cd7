-- What a script does to `actions` is its own affair: the host looks names up in its own catalog.
-- action: echo | cat
-- options: --deny t.other
-- ends: ok 0
-- output: mine\nnil\n
rawset(actions, "t", setmetatable({}, { __index = function() return "mine" end }))
print(actions.t.echo)
actions = nil
print(actions)
