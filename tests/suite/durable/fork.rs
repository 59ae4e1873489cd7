//! New runs of the beginning of others: what they have of them, and what they have not.

use serde_json::Value;

use super::Session;

/// The number of the last entry of that kind, counted from 1 by `nth`.
fn entry(session: &Session, id: &str, kind: &str, nth: usize) -> u64 {
    let shown = session.json(&["runs", "show", id, "--json"]);
    let journal = shown["journal"].as_array().expect("a list");
    let mut found = journal
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry["kind"] == kind);
    let (seq, _) = found.nth(nth - 1).unwrap_or_else(|| panic!("{shown}"));
    seq as u64
}

fn forked(session: &Session, id: &str, at: u64) -> String {
    let document = session.json(&["runs", "fork", id, "--at", &at.to_string(), "--json"]);
    assert_eq!(
        (&document["forked_from"], &document["forked_at"]),
        (&id.into(), &at.into()),
        "{document}"
    );
    document["run"].as_str().expect("an id").to_owned()
}

fn state(session: &Session, id: &str) -> Value {
    let shown = session.json(&["runs", "show", id, "--json"]);
    shown["state"].clone()
}

const THREE: &str = "for i = 1, 3 do print(i, actions.t.note({}).n) end";

#[test]
fn a_fork_calls_what_follows_with_keys_of_its_own() {
    let session = Session::new("effects = 'idempotent'", THREE);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let at = entry(&session, &id, "outcome", 1);
    let before = session.kael(&["runs", "verify", &id]);
    let fork = forked(&session, &id, at);
    assert_ne!(fork, id);
    assert_eq!(state(&session, &fork), "parked");
    let (_, shown, _) = session.kael(&["runs", "show", &fork]);
    assert!(
        shown.contains(&format!("forked   from {id} at entry {at}\n")),
        "{shown}"
    );
    let output = "1\t1\n2\t2\n3\t3\n";
    session.prints(&["runs", "resume", &fork], output);
    session.prints(&["runs", "show", &fork, "--output"], output);
    session.prints(&["runs", "replay", &fork], output);
    assert_eq!(session.kael(&["runs", "verify", &fork]).0, 0);
    // The run before it is what it was.
    assert_eq!(session.kael(&["runs", "verify", &id]), before);
    let notes = session.notes();
    let calls: Vec<&str> = notes.iter().map(|note| &*note[0]).collect();
    assert_eq!(calls, ["1", "2", "3", "2", "3"]);
    let keys: std::collections::BTreeSet<&str> = notes.iter().map(|note| &*note[2]).collect();
    assert_eq!(keys.len(), 5, "{notes:?}");
    // What the fork replays has the keys that it had.
    let intents = |id: &str| -> Vec<Value> {
        let shown = session.json(&["runs", "show", id, "--json"]);
        let journal = shown["journal"].as_array().expect("a list").iter();
        let intents = journal.filter(|entry| entry["kind"] == "intent");
        intents.map(|entry| entry["key"].clone()).collect()
    };
    let (old, new) = (intents(&id), intents(&fork));
    assert_eq!((&old[0], old.len(), new.len()), (&new[0], 3, 3));
    // The run may be removed: the fork has all that it needs.
    session.prints(&["runs", "rm", &id], "removed: 1\n");
    session.prints(&["runs", "replay", &fork], output);
}

/// Without effects a run of that size is one commit, so that most forks are in the middle of it.
#[test]
fn a_run_can_be_forked_at_every_entry_at_which_no_effect_is_going_on() {
    let script = "print(now() > 0) for i = 1, 2 do print(i, actions.t.note({}).n) end\n\
                  print(parallel(function() sleep(0.01) return 1 end, function() return actions.t.note({}).n end))\n\
                  pcall(function() return actions.t.no end) print(math.random(1, 1 << 40) > 0)";
    let session = Session::new("effects = 'none'", script);
    let (code, output, _) = session.kael(&["run", "--journal", "script.lua"]);
    assert_eq!(code, 0);
    let (id, _) = session.run();
    let shown = session.json(&["runs", "show", &id, "--json"]);
    let last = shown["journal"].as_array().expect("a list").len() as u64 - 1;
    assert!(last > 8, "{shown}");
    for at in 0..=last {
        let fork = forked(&session, &id, at);
        session.prints(&["runs", "resume", &fork], &output);
        assert_eq!(session.kael(&["runs", "verify", &fork]).0, 0, "{at}");
    }
}

#[test]
fn where_a_run_cannot_be_forked_is_said_with_the_nearest_entries() {
    let script = "actions.t.note({}) actions.t.note({ mode = 'wait' }) actions.t.note({})";
    let session = Session::new("effects = 'once'", script);
    session.kill_at(2);
    let (id, _) = session.run();
    let doubt = entry(&session, &id, "intent", 2);
    let refused = |id: &str, at: u64, wanted: &str| {
        let (code, stdout, stderr) = session.kael(&["runs", "fork", id, "--at", &at.to_string()]);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(stderr.contains(wanted), "{stderr}");
    };
    let why = "call 2 of t.note had begun by then, and its end is not known there: a fork would begin it a second time";
    refused(
        &id,
        doubt,
        &format!(
            "cannot be forked at entry {doubt}: {why}; entry {} will do",
            doubt - 1
        ),
    );
    refused(
        &id,
        1 << 40,
        &format!("its journal ends with entry {doubt}"),
    );
    refused(&id, u64::MAX, "its journal ends with entry ");
    refused("nonsense", 0, "there is no run `nonsense`");
    // A doubt that is settled is none.
    session.go();
    assert_eq!(session.kael(&["runs", "resolve", &id, "2", "done"]).0, 0);
    let settled = doubt + 1;
    refused(
        &id,
        doubt,
        &format!("entry {} and entry {settled} will do", doubt - 1),
    );
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 0);
    let fork = forked(&session, &id, settled);
    session.prints(&["runs", "resume", &fork], "");
    // The third call of the run, and the third of its fork.
    assert_eq!(session.notes().len(), 4);
    session.runs(2);
}

#[test]
fn an_approval_is_not_taken_over_by_a_fork() {
    let script = "actions.t.note({ mode = 'big' }) actions.t.note({})";
    let session = Session::new("effects = 'idempotent'", script);
    let policy =
        "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    when: { mode: big }\n";
    let kael = session.kael.file("p.yaml", policy);
    let session = Session { kael, ..session };
    let words = ["run", "--journal", "--policy", "p.yaml", "script.lua"];
    assert_eq!(session.kael(&words).0, 7);
    let (id, _) = session.run();
    let asked = || session.json(&["runs", "approvals", "--json"])["approvals"].clone();
    let digest = asked()[0]["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(session.kael(&["runs", "approve", &id, "1", &digest]).0, 0);
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    assert_eq!(session.notes().len(), 2);
    // Behind the decision, and before the effect that it allowed.
    let at = entry(&session, &id, "intent", 1) - 1;
    let shown = session.json(&["runs", "show", &id, "--json"]);
    assert_eq!(shown["journal"][at as usize]["kind"], "wait", "{shown}");
    let fork = forked(&session, &id, at);
    assert_eq!(asked(), Value::Array(Vec::new()));
    assert_eq!(session.kael(&["runs", "resume", &fork]).0, 7);
    let waiting = asked();
    assert_eq!(waiting[0]["run"], *fork, "{waiting}");
    assert_eq!(session.kael(&["runs", "approve", &fork, "1", &digest]).0, 2);
    assert_eq!(session.notes().len(), 2);
    let digest = waiting[0]["digest"].as_str().expect("a digest");
    assert_eq!(session.kael(&["runs", "approve", &fork, "1", digest]).0, 0);
    session.prints(&["runs", "work", "--once"], &format!("{fork}: succeeded\n"));
    assert_eq!(session.notes().len(), 4);
}

#[test]
fn children_and_signals_before_a_fork_stay_those_of_the_run() {
    let script = "local child = runs.start { script = \"wait_for('end') return 5\" }\n\
                  print(wait_for('go')) actions.t.note({})\n\
                  print(wait_for('go')) print(runs.wait(child))";
    let session = Session::new("effects = 'idempotent'", script);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 7);
    let runs = session.runs(2);
    let of = |is_child: bool| {
        let mut runs = runs.iter();
        let run = runs.find(|run| run["parent"].is_null() != is_child);
        run.expect("a run")["run"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let (id, child) = (of(false), of(true));
    let signal = |id: &str, name: &str, payload: &str| {
        assert_eq!(session.kael(&["runs", "signal", id, name, payload]).0, 0);
    };
    signal(&id, "go", "1");
    signal(&id, "go", "2");
    assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
    assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
    assert_eq!(session.notes().len(), 1);
    let at = entry(&session, &id, "intent", 1) + 1;
    // Of the two signals the script had got one by then.
    let (one, other) = (forked(&session, &id, at), forked(&session, &id, at));
    assert_eq!(session.kael(&["runs", "cancel", &one]).0, 0);
    assert_eq!(state(&session, &child), "waiting");
    assert_eq!(session.kael(&["runs", "resume", &other]).0, 7);
    signal(&other, "go", "3");
    signal(&child, "end", "0");
    for run in [&id, &other] {
        for _ in 0..4 {
            assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
        }
        assert_eq!(state(&session, run), "succeeded");
    }
    session.prints(&["runs", "show", &id, "--output"], "1\n2\n5\n");
    session.prints(&["runs", "show", &other, "--output"], "1\n3\n5\n");
}

/// The loser of a race has begun an effect, and nobody knows how that would have ended. A fork does not begin it again: the
/// script has cancelled it.
#[test]
fn a_run_is_forked_behind_an_effect_that_a_race_has_cancelled() {
    let script = "print(race(\n\
                  function() return actions.t.note({ mode = 'wait' }).n end,\n\
                  function() sleep(0.5) return 'late' end))\n\
                  print(actions.t.note({}).n)";
    let session = Session::new("effects = 'once'", script);
    let kael = session.kael.file("other.lua", "print('other')");
    let session = Session { kael, ..session };
    session.prints(&["run", "--journal", "script.lua"], "2\tlate\n2\n");
    let (id, _) = session.run();
    let loser = entry(&session, &id, "intent", 1);
    let cancelled = entry(&session, &id, "calls_cancelled", 1);
    let next = entry(&session, &id, "intent", 2);
    assert!(loser < cancelled && cancelled < next);
    // While the race goes on it cannot be forked, and where it can is said.
    let at = (cancelled - 1).to_string();
    let (code, _, stderr) = session.kael(&["runs", "fork", &id, "--at", &at]);
    assert_eq!(code, 2);
    let wanted = format!("entry {} and entry {cancelled} will do", loser - 1);
    assert!(stderr.contains(&wanted), "{stderr}");
    for at in [cancelled, cancelled + 1, next - 1] {
        let before = session.notes().len();
        let fork = forked(&session, &id, at);
        session.prints(&["runs", "resume", &fork], "2\tlate\n2\n");
        // The second call alone.
        assert_eq!(session.notes().len(), before + 1, "{at}");
        session.prints(&["runs", "replay", &fork], "2\tlate\n2\n");
        assert_eq!(session.kael(&["runs", "verify", &fork]).0, 0);
    }
    // With another script only behind the crossing that has cancelled it: what that script does there is its own.
    let fork = |at: u64| {
        let at = at.to_string();
        session.kael(&["runs", "fork", &id, "--at", &at, "--script", "other.lua"])
    };
    let (code, _, stderr) = fork(cancelled);
    let wanted = format!("and entry {} will do", cancelled + 1);
    assert!(code == 2 && stderr.contains(&wanted), "{stderr}");
    assert_eq!(fork(cancelled + 1).0, 0);
    // A call that was cancelled is in no doubt.
    let (code, _, stderr) = session.kael(&["runs", "resolve", &id, "1", "done"]);
    assert!(
        code == 2 && stderr.contains("has no call 1 in doubt"),
        "{stderr}"
    );
}

#[test]
fn a_fork_may_have_another_script_that_asks_for_the_same_before() {
    let session = Session::new("effects = 'idempotent'", THREE);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let at = entry(&session, &id, "turn", 1).to_string();
    let mended = "for i = 1, 2 do print(i, actions.t.note({}).n) end print('mended')";
    let kael = session.kael.file("mended.lua", mended);
    let kael = kael.file(
        "other.lua",
        "print('hm') print(actions.t.note({ a = 1 }).n)",
    );
    let session = Session { kael, ..session };
    let fork = |script: &str| {
        let words = [
            "runs", "fork", &id, "--at", &at, "--script", script, "--json",
        ];
        let document = session.json(&words);
        document["run"].as_str().expect("an id").to_owned()
    };
    let good = fork("mended.lua");
    session.prints(&["runs", "resume", &good], "1\t1\n2\t2\nmended\n");
    session.prints(&["runs", "replay", &good], "1\t1\n2\t2\nmended\n");
    assert_eq!(session.kael(&["runs", "verify", &good]).0, 0);
    assert_eq!(session.notes().len(), 4);
    // One that asks for something else is parked, with both, and calls nothing.
    let bad = fork("other.lua");
    let (code, _, stderr) = session.kael(&["runs", "resume", &bad]);
    assert_eq!(code, 7, "{stderr}");
    assert!(
        stderr.contains("does not do what its journal says"),
        "{stderr}"
    );
    assert_eq!(
        (state(&session, &bad), session.notes().len()),
        ("parked".into(), 4)
    );
    let (code, _, stderr) = session.kael(&["runs", "fork", &id, "--at", &at, "--script", "no.lua"]);
    assert!(code == 2 && stderr.contains("no.lua"), "{stderr}");
    // An end that the script has not got is not given to another call.
    let early = entry(&session, &id, "outcome", 1).to_string();
    let words = ["runs", "fork", &id, "--at", &early, "--script", "other.lua"];
    let (code, _, stderr) = session.kael(&words);
    assert!(
        code == 2 && stderr.contains(&format!("and entry {at} will do")),
        "{stderr}"
    );
}
