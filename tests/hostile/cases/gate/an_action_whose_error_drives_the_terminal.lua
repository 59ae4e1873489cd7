-- What an action says of its failure is made visible.
-- action: a | printf '\033[2J\rError: fake\n\033[31mred' >&2; exit 1
-- ends: failed 6
-- message: t.a failed: \u{1b}[31mred
actions.t.a({})
