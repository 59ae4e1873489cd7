-- A name with escapes is made visible where it ends the run.
-- action: echo | cat
-- ends: unknown_action 1
-- message: no action 't.\u{1b}[2J\rError: fake'
local x = actions.t["\27[2J\rError: fake"]
