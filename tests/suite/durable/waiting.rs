//! Runs that wait for signals and for runs that they have started, without a process, and what they tell meanwhile.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Session;

/// Works what is due until the first run of the session is over, and returns its state.
fn worked(session: &Session, id: &str) -> String {
    let late = Instant::now() + Duration::from_secs(120);
    loop {
        let (code, _, stderr) = session.kael(&["runs", "work", "--once"]);
        assert_eq!(code, 0, "{stderr}");
        let shown = session.json(&["runs", "show", id, "--json"]);
        let state = shown["state"].as_str().expect("a state").to_owned();
        if ["succeeded", "failed", "cancelled", "parked"].contains(&&*state) {
            return state;
        }
        assert!(Instant::now() < late, "{shown}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Begins the script, which waits for something far off: the id of its run.
fn waits(session: &Session, for_what: &str) -> String {
    let (code, _, stderr) = session.kael(&["run", "--journal", "script.lua"]);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains(for_what), "{stderr}");
    session.run().0
}

#[test]
fn a_run_that_waits_for_a_signal_has_no_process_and_goes_on_with_it() {
    let script = "status('step 1 of 2') local signal = wait_for('approved', { timeout = '2d' })\n\
                  status('step 2 of 2') print(signal.by, actions.t.note({}).n, now() > 0)";
    let session = Session::new("", script);
    let id = waits(&session, "the run waits for the signal `approved` until 20");
    let (_, listed, _) = session.kael(&["runs", "ls"]);
    assert!(
        listed.contains("waiting (the signal `approved`)") && listed.contains("step 1 of 2"),
        "{listed}"
    );
    session.prints(&["runs", "work", "--once"], "");
    let payload = r#"{"by":"ann"}"#;
    for (words, wanted) in [
        (
            ["runs", "signal", "ffffffff", "approved"],
            "no run `ffffffff`",
        ),
        (["runs", "signal", &id, ""], "the name of a signal has"),
        (
            ["runs", "signal", &id, &"x".repeat(201)],
            "the name of a signal has",
        ),
    ] {
        let (code, _, stderr) = session.kael(&words);
        assert!(code == 2 && stderr.contains(wanted), "{stderr}");
    }
    let (code, _, stderr) = session.kael(&["runs", "signal", &id, "approved", "{by"]);
    assert!(code == 2 && stderr.contains("is no JSON"), "{stderr}");
    let words = ["runs", "signal", &id, "approved", payload, "--once", "a"];
    session.prints(&words, &format!("{id}: signalled\n"));
    session.prints(&words, &format!("{id}: had this signal\n"));
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    session.prints(&["runs", "show", &id, "--output"], "ann\t1\ttrue\n");
    session.prints(&["runs", "replay", &id], "ann\t1\ttrue\n");
    let (_, shown, _) = session.kael(&["runs", "show", &id]);
    assert!(shown.contains("status   step 2 of 2"), "{shown}");
    let (code, _, stderr) = session.kael(&["runs", "signal", &id, "approved"]);
    assert!(code == 2 && stderr.contains("gets no signals"), "{stderr}");
}

#[test]
fn a_signal_is_taken_once_and_in_order_and_a_race_gives_it_back() {
    // The first race is over before `go` comes; both signals go to those that ask later.
    let script = "print(race(function() return wait_for('go') end, function() sleep(0.01) return 'first' end))\n\
                  print(race(function() return wait_for('go') end, function() sleep('1h') error('too late') end))\n\
                  print(parallel(function() return wait_for('go') end, function() return wait_for('stop') end))";
    let session = Session::new("", script);
    let id = waits(&session, "the signal `go` until");
    for (name, payload) in [("stop", "3"), ("go", "1"), ("go", "2")] {
        let signalled = format!("{id}: signalled\n");
        session.prints(&["runs", "signal", &id, name, payload], &signalled);
    }
    assert_eq!(worked(&session, &id), "succeeded");
    let wanted = "2\tfirst\n1\t1\n2\t3\n";
    session.prints(&["runs", "show", &id, "--output"], wanted);
}

#[test]
fn what_does_not_come_in_time_is_an_error_that_a_script_catches() {
    let script = "local ok, e = pcall(wait_for, 'go', { timeout = 0.2 }) print(ok, e.kind, e)\n\
                  print(select(2, pcall(runs.wait, 'x')))";
    let session = Session::new("", script);
    session.prints(
        &["run", "--journal", "script.lua"],
        "false\ttimeout\twait_for failed: the signal `go` did not come in time\n\
         runs.wait failed: `x` is no run that this one has started\n",
    );
}

#[test]
fn without_a_journal_a_sleep_sleeps_and_the_rest_says_what_it_needs() {
    let script = "sleep('10ms') print(now() > 0)\n\
        for _, f in ipairs { function() wait_for('x') end, function() status('x') end,\n\
          function() runs.start { script = '' } end, function() runs.wait('x') end } do\n\
          print(select(2, pcall(f)))\n\
        end wait_for('x')";
    let session = Session::new("", script);
    let (code, stdout, stderr) = session.kael(&["run", "script.lua"]);
    let names = ["wait_for", "status", "runs.start", "runs.wait"];
    let told = names.map(|name| format!("{name} failed: this needs a run with a journal\n"));
    assert_eq!(stdout, format!("true\n{}", told.concat()));
    assert_ne!(code, 0);
    assert!(stderr.contains("kael-host run --journal"), "{stderr}");
}

#[test]
fn a_run_starts_others_and_waits_for_their_ends() {
    let script = r#"
        local made = runs.start { name = "child.lua", args = { "x" }, inputs = { file = "text" }, wait = true, script =
          "return { arg = arg[1], file = inputs.file, n = actions.t.note({}).n }" }
        print(made.arg, made.file, made.n)
        local a, b = parallel(
          function() return runs.start { script = "return 1", wait = true } end,
          function() return runs.wait(runs.start { script = "return 2" }) end)
        print(a, b)
        local ok, e = pcall(runs.start, { script = "error('broken', 0)", wait = true })
        print(ok, e.kind, (tostring(e):gsub("%x+%-%x+%-%x+%-%x+%-%x+", "ID")))
        print(runs.start { script = "wait_for('never')" } ~= nil)"#;
    let session = Session::new("", script);
    let (code, _, stderr) = session.kael(&["run", "--journal", "script.lua"]);
    assert!(
        code == 7 && stderr.contains("the run waits for run "),
        "{stderr}"
    );
    let id = parent(&session.runs(2));
    assert_eq!(worked(&session, &id), "succeeded");
    let wanted = "x\ttext\t1\n1\t2\nfalse\tfailed\truns.wait failed: run ID failed: broken\ntrue\n";
    session.prints(&["runs", "show", &id, "--output"], wanted);
    // What is left of a run ends with it.
    let children = session.runs(6);
    let of = |state: &str| children.iter().filter(|run| run["state"] == state).count();
    assert_eq!(
        (of("succeeded"), of("failed"), of("cancelled")),
        (4, 1, 1),
        "{children:?}"
    );
}

#[test]
fn runs_start_runs_only_so_deep() {
    let script = "local text = inputs.text or ...\n\
        local ok, e = pcall(runs.start, { script = text, inputs = { text = text }, wait = true })\n\
        print(ok and e or (tostring(e):gsub('%x+%-%x+%-%x+%-%x+%-%x+', 'ID'))) return ok and e + 1 or 0";
    let session = Session::new("", script);
    let (code, _, stderr) = session.kael(&["run", "--journal", "script.lua", script]);
    assert_eq!(code, 7, "{stderr}");
    let id = parent(&session.runs(2));
    assert_eq!(worked(&session, &id), "succeeded");
    session.prints(&["runs", "show", &id, "--output"], "7\n");
    session.runs(9);
}

/// The id of the run that was started by no other.
fn parent(runs: &[Value]) -> String {
    let found = runs.iter().find(|run| run["parent"].is_null());
    let id = found.expect("a parent")["run"].as_str();
    id.expect("an id").to_owned()
}

#[test]
fn no_budget_is_had_anew_by_starting_runs() {
    let script = "print(select(2, pcall(runs.start, { script = 'return 1' })))
                  print(select(2, pcall(runs.continue_as, { script = 'return 1' })))";
    let policy = "version: 1\ndefault: allow\nbudgets: [{ actions: t.note, calls: 1, per: run }]\n";
    let session = Session::new("", script);
    let kael = session.kael.file("p.yaml", policy);
    let session = Session { kael, ..session };
    let (code, stdout, stderr) =
        session.kael(&["run", "--journal", "--policy", "p.yaml", "script.lua"]);
    assert_eq!(code, 0, "{stderr}");
    let why = "denied by p.yaml:3 (budget of 1 calls of t.note): a run that this one starts would have the budget anew";
    let both = format!("runs.start failed: {why}\nruns.continue_as failed: {why}\n");
    assert_eq!(stdout, both);
    session.runs(1);
}
