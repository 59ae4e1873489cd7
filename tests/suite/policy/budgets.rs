//! How often a run may call actions.

use super::session;

#[test]
fn a_budget_bounds_the_calls_of_a_run() {
    let policy = "version: 1\ndefault: allow\nbudgets:\n- { actions: [\"t.s*\", t.look], calls: 3, per: run }\n";
    let script = "local n = 0
        for i = 1, 5 do
          local ok, e = pcall(i % 2 == 0 and actions.t.look or actions.t.scale, {})
          if ok then n = n + 1 else print(e.kind, e.message, e.detail.line) end
        end
        actions.t.delete({})
        print(n)";
    let why = "denied\tdenied by p.yaml:4 (budget of 3 calls of t.s*, t.look): the budget of the run is spent\t4\n";
    session()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints(&format!("{why}{why}3\n"));
    for (budget, wrong) in [
        (
            "{ actions: t.look, calls: 3, per: 1ms }",
            "`per` must be `run` or a time from 1s to 366d such as `30m`, `1h` or `1d`, got `1ms`",
        ),
        (
            "{ actions: t.look, calls: 3, per: hour }",
            "`per` must be `run` or a time from 1s to 366d such as `30m`, `1h` or `1d`, got `hour`",
        ),
        (
            "{ actions: t.look, calls: 3, per: run, of: tenant }",
            "`of: tenant` is for a time in `per`, such as `1h`: `per: run` counts one run",
        ),
        (
            "{ actions: t.look, calls: 3, per: run, over: wait }",
            "`over: wait` is for a time in `per`, such as `1h`: a run's budget has no room again",
        ),
        (
            "{ actions: t.look, calls: 3, per: 1h, of: team }",
            "`of` must be `run` or `tenant`",
        ),
        (
            "{ actions: t.look, calls: 0, per: run }",
            "`calls` must be a whole number from 1 to 10000000",
        ),
        (
            "{ actions: t.lok, calls: 1, per: run }",
            "no action `t.lok` (did you mean `t.look`?)",
        ),
        ("{ actions: t.look }", "a budget needs `calls`"),
    ] {
        session()
            .file("p.yaml", format!("version: 1\nbudgets:\n- {budget}\n"))
            .words(&["policy", "check", "p.yaml"])
            .ends()
            .exits(3)
            .says(&format!("p.yaml:3: {wrong}"));
    }
}

#[test]
fn a_call_that_one_budget_denies_uses_no_other() {
    let policy = "version: 1\ndefault: allow\nbudgets:\n- { actions: \"t.*\", calls: 3, per: run }\n- { actions: t.scale, calls: 1, per: run }\n";
    let script = "local made = { scale = 0, look = 0 }
        for _, name in ipairs({ 'scale', 'scale', 'scale', 'scale', 'look', 'look', 'look' }) do
          if pcall(actions.t[name], {}) then made[name] = made[name] + 1 end
        end
        print(made.scale, made.look)";
    session()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints("1\t2\n");
}
