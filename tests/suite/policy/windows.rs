//! Budgets over windows of time: shared by runs and processes, never exceeded, with room again.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kael_tests::Kael;

use super::session;

/// A window that no test is at the end of.
const LONG: &str = "366d";

/// The session with a policy of one budget for `t.look`.
fn budgeted(budget: &str) -> Kael {
    let policy =
        format!("version: 1\ndefault: allow\nbudgets:\n- {{ actions: t.look, {budget} }}\n");
    session().file("p.yaml", policy).file(
        "count.lua",
        "local n, last = 0, nil
        for _ = 1, tonumber(...) do
          local ok, e = pcall(actions.t.look, {})
          if ok then n = n + 1 else last = e end
        end
        print(n, last and last.kind, last and last.message)",
    )
}

/// A run of that script with so many calls.
fn run(session: &Kael, options: &[&str], calls: &str) -> Command {
    let mut command = session.command();
    command.args(["run", "--policy", "p.yaml"]).args(options);
    command.args(["count.lua", calls]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn runs_one_after_the_other_share_a_budget() {
    let session = budgeted(&format!("calls: 3, per: {LONG}"));
    assert_eq!(printed(run(&session, &[], "2")), "2\tnil\tnil\n");
    let second = printed(run(&session, &[], "3"));
    let why = "1\tdenied\tdenied by p.yaml:4 (budget of 3 calls of t.look per 8784h of the tenant): \
               the budget of the tenant is spent, and has room again at 20";
    assert!(second.starts_with(why), "{second}");
    // A budget that is raised keeps its count.
    let more =
        "version: 1\ndefault: allow\n\nbudgets:\n- { calls: 5, actions: t.look, per: 366d }\n";
    let session = session.file("p.yaml", more);
    let third = printed(run(&session, &[], "3"));
    assert!(
        third.starts_with("2\tdenied\tdenied by p.yaml:5 "),
        "{third}"
    );
    let ends = session
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.look({})");
    ends.exits(4)
        .says("hint: wait until 20")
        .says(", or ask for a larger budget of t.look in the policy");
}

#[test]
fn budgets_that_say_the_same_share_their_count_and_the_smallest_holds() {
    let session = budgeted(&format!("calls: 3, per: {LONG}"));
    assert_eq!(printed(run(&session, &[], "2")), "2\tnil\tnil\n");
    // A team that repeats the operator's budget begins no new count.
    let team = |calls| {
        let budget = format!("- {{ per: {LONG}, actions: t.look, calls: {calls} }}\n");
        format!("version: 1\ndefault: allow\nbudgets:\n{budget}{budget}")
    };
    let session = session.file("actions/policy.yaml", team(100));
    let second = printed(run(&session, &[], "3"));
    assert!(
        second.starts_with("1\tdenied\tdenied by p.yaml:4 "),
        "{second}"
    );
    // Each of the three calls was counted once.
    let wide = "version: 1\ndefault: allow\nbudgets:\n- { actions: t.look, calls: 9, per: 366d }\n";
    let session = session
        .file("p.yaml", wide)
        .file("actions/policy.yaml", team(5));
    let third = printed(run(&session, &[], "3"));
    assert!(
        third.starts_with("2\tdenied\tdenied by actions/policy.yaml:4 "),
        "{third}"
    );
}

#[test]
fn runs_side_by_side_never_make_more_calls_than_there_are() {
    let session = budgeted(&format!("calls: 12, per: {LONG}"));
    session.write_repo();
    let runs: Vec<_> = (0..8)
        .map(|_| run(&session, &[], "5").spawn().expect("it starts"))
        .collect();
    let made = runs.into_iter().map(|run| {
        let output = run.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let count: Option<u32> = text.split('\t').next().and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("{text}"))
    });
    let made: u32 = made.sum();
    assert_eq!(made, 12);
}

#[test]
fn branches_of_one_run_never_make_more_calls_than_there_are() {
    let script = "local made = 0
        local function branch() if pcall(actions.t.look, {}) then made = made + 1 end end
        local all = {} for i = 1, 9 do all[i] = branch end
        parallel(table.unpack(all)) print(made)";
    budgeted(&format!("calls: 4, per: {LONG}, of: run"))
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints("4\n");
}

#[test]
fn a_new_window_has_room() {
    let script = "local function call() return pcall(actions.t.look, {}) end
        repeat until not call()
        repeat sleep(0.05) until call()
        print('again')";
    budgeted("calls: 2, per: 1s")
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints("again\n");
}

#[test]
fn a_call_waits_for_a_new_window_where_the_policy_says_so() {
    let session = budgeted("calls: 2, per: 2s, over: wait");
    let began = Instant::now();
    assert_eq!(printed(run(&session, &[], "5")), "5\tnil\tnil\n");
    // The fifth is in the third window at least, and the first two are in the first two.
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[test]
fn a_call_waits_no_longer_than_its_action_or_its_run_may_take() {
    let session = budgeted(&format!("calls: 1, per: {LONG}, over: wait"));
    let told = printed(run(&session, &[], "2"));
    assert!(
        told.starts_with("1\tdenied\t")
            && told.ends_with(", later than the action's timeout (5m) lets a call wait\n"),
        "{told}"
    );
    let waits = || {
        let policy = "version: 1\ndefault: allow\nbudgets:\n- { actions: t.slow, calls: 1, per: 30d, over: wait }\n";
        Kael::new()
            .shell("slow", "timeout = '31d'", "echo 1")
            .file("p.yaml", policy)
    };
    let script = "actions.t.slow({}) print('once') actions.t.slow({}) print('twice')";
    let limited = waits()
        .run_with(&["--policy", "p.yaml", "--timeout", "2s"])
        .script(script);
    assert_eq!((limited.code, limited.stdout.as_str()), (5, "once\n"));
    // A branch that is given up waits no more.
    waits()
        .run_with(&["--policy", "p.yaml"])
        .script(
            "actions.t.slow({})
            print(race(function() actions.t.slow({}) return 'called' end, function() sleep(0.2) return 'given up' end))",
        )
        .prints("2\tgiven up\n");
}

#[test]
fn calls_that_cannot_be_counted_are_denied() {
    let told = printed(run(
        &budgeted(&format!("calls: 1, per: {LONG}")).file("data/store", "no folder"),
        &[],
        "1",
    ));
    assert!(
        told.starts_with("0\tdenied\tdenied by p.yaml:4 (budget of 1 calls of t.look per 8784h of the tenant): its calls cannot be counted: the store `"),
        "{told}"
    );
}

#[test]
fn nothing_is_opened_without_a_call_to_count() {
    for (budget, calls) in [("per: run", "1"), ("per: 366d", "0")] {
        let session = budgeted(&format!("calls: 1, {budget}"));
        printed(run(&session, &[], calls));
        assert!(
            !session.path().join("data/store/kael.db").exists(),
            "{budget}"
        );
    }
    // A dry run calls nothing, so it counts nothing.
    let session = budgeted(&format!("calls: 1, per: {LONG}"));
    printed(run(&session, &["--dry-run"], "3"));
    assert!(!session.path().join("data/store/kael.db").exists());
}

#[test]
fn explain_tells_the_budgets() {
    let ran = budgeted("calls: 9, per: 1h, over: wait")
        .words(&["policy", "explain", "t.look", "--policy", "p.yaml"])
        .ends();
    let line =
        "budgets that count it:\n  p.yaml:4 (budget of 9 calls of t.look per 1h of the tenant)\n";
    assert!(ran.exits(0).stdout.contains(line), "{}", ran.stdout);
    let ran = budgeted("calls: 9, per: 1h")
        .words(&[
            "policy", "explain", "t.look", "--policy", "p.yaml", "--json",
        ])
        .ends();
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["budgets"][0]["line"], 4);
}
