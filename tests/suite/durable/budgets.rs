//! A run that goes on has of the budgets of a run what it had left.

use super::Session;

/// The session with a budget of so many calls of `t.note`, which are denied where `mode` is `bad`.
fn budgeted(calls: u32, script: &str) -> Session {
    let policy = format!(
        "version: 1\ndefault: allow\nrules:\n- deny: t.note\n  when: {{ mode: [bad] }}\n\
         budgets:\n- {{ actions: t.note, calls: {calls}, per: run }}\n"
    );
    let session = Session::new("effects = 'idempotent', locked = { owner = 'us' }", script);
    let kael = session.kael.file("actions/policy.yaml", policy);
    Session { kael, ..session }
}

/// What the run prints until it has made so many calls, and what it prints when it goes on.
#[track_caller]
fn stopped_at(session: &Session, calls: &str, before: &str, after: &str) {
    let words = ["run", "--journal", "--max-calls", calls, "script.lua"];
    let (code, stdout, stderr) = session.kael(&words);
    assert_eq!((code, stdout.as_str()), (5, before), "{stderr}");
    let (id, _) = session.run();
    session.prints(&["runs", "resume", &id, "--max-calls", "99"], after);
    let all = format!("{before}{after}");
    session.prints(&["runs", "show", &id, "--output"], &all);
}

#[test]
fn calls_before_it_went_on_count() {
    let script = "for i = 1, 5 do
      local ok, e = pcall(actions.t.note, {})
      print(i, ok, ok or e.message)
    end";
    let session = budgeted(3, script);
    let denied = "denied by actions/policy.yaml:7 (budget of 3 calls of t.note): the budget of the run is spent";
    let after = format!("3\ttrue\ttrue\n4\tfalse\t{denied}\n5\tfalse\t{denied}\n");
    stopped_at(&session, "2", "1\ttrue\ttrue\n2\ttrue\ttrue\n", &after);
    assert_eq!(session.notes().len(), 3);
}

#[test]
fn calls_that_were_refused_before_it_went_on_do_not_count() {
    let script = "local function try(params) return (pcall(actions.t.note, params)) end
    local function bad() return try({ mode = 'bad' }), try({ owner = 'me' }), try({ mode = 'bad' }) end
    print(try({}), bad())
    print(try({}), bad())
    print(try({}))";
    let refused = "true\tfalse\tfalse\tfalse\n";
    stopped_at(
        &budgeted(2, script),
        "4",
        refused,
        &format!("{refused}false\n"),
    );
}

#[test]
fn calls_that_were_cancelled_before_it_went_on_count() {
    let script = "print(race(
      function() return actions.t.note({}).n and 'ended' end,
      function() actions.t.note({ mode = 'wait' }) end))
    for i = 1, 3 do print((pcall(actions.t.note, {}))) end";
    stopped_at(
        &budgeted(3, script),
        "3",
        "1\tended\ntrue\n",
        "false\nfalse\n",
    );
}

#[test]
fn a_call_that_a_killed_host_was_making_counts_once() {
    let script = "actions.t.note({}) actions.t.note({ mode = 'wait' })
    for i = 1, 2 do print((pcall(actions.t.note, {}))) end";
    let session = budgeted(3, script);
    session.kill_at(2);
    session.go();
    let (id, _) = session.run();
    session.prints(&["runs", "resume", &id], "true\nfalse\n");
    // The second was begun twice.
    assert_eq!(session.notes().len(), 4);
}
