//! Runs that a person ends: their scripts get an error where they wait, and clean up.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Session;

fn shown(session: &Session, id: &str) -> Value {
    session.json(&["runs", "show", id, "--json"])
}

/// The kinds of the entries of a journal.
fn kinds(shown: &Value) -> Vec<String> {
    let journal = shown["journal"].as_array().expect("a list").iter();
    let kinds = journal.map(|entry| entry["kind"].as_str().expect("a kind").to_owned());
    kinds.collect()
}

/// Waits until a run that a process has is in a state.
fn until(session: &Session, id: &str, state: &str) -> Value {
    let late = Instant::now() + Duration::from_secs(120);
    loop {
        let shown = shown(session, id);
        if shown["state"] == state {
            return shown;
        }
        assert!(Instant::now() < late, "{shown}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the action has begun so many times.
fn begun(session: &Session, count: usize) {
    let late = Instant::now() + Duration::from_secs(120);
    while session.notes().len() < count {
        assert!(Instant::now() < late, "{:?}", session.notes());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Gives back by a call what it has taken by one.
const CLEANS: &str = "local function taken(n)\n\
    actions.t.note({ taken = n })\n\
    return setmetatable({}, { __close = function() print('given back', n, actions.t.note({ back = n }).n) end })\n\
    end\n";

#[test]
fn a_run_that_waits_cleans_up_when_it_is_cancelled_and_is_replayed_so() {
    let script = format!(
        "{CLEANS}local a <close> = taken(1)\n\
         print(pcall(function() local b <close> = taken(2) wait_for('go') end))\n\
         sleep(0.01) print('goes on') error('enough', 0)"
    );
    let session = Session::new("effects = 'once'", &script);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 7);
    let (id, _) = session.run();
    let (code, stdout, _) = session.kael(&["runs", "cancel", &id]);
    assert!(
        code == 0 && stdout.contains("is told to end when it goes on"),
        "{stdout}"
    );
    // Twice is once.
    assert_eq!(session.kael(&["runs", "cancel", &id]).0, 0);
    let (code, stdout, _) = session.kael(&["runs", "work", "--once"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, format!("{id}: cancelled\n").as_str())
    );
    let document = shown(&session, &id);
    assert_eq!(document["state"], "cancelled", "{document}");
    assert_eq!(
        (&document["ending"]["kind"], &document["ending"]["message"]),
        (&"cancelled".into(), &"local has cancelled the run".into()),
        "{document}"
    );
    let output = "given back\t2\t3\nfalse\twait_for failed: local has cancelled the run\n\
                  goes on\ngiven back\t1\t4\n";
    session.prints(&["runs", "show", &id, "--output"], output);
    assert_eq!(session.notes().len(), 4);
    // The crossing that was answered by the cancel stands behind it.
    let kinds = kinds(&document);
    let cancel = kinds
        .iter()
        .position(|kind| kind == "cancel")
        .expect("noted");
    assert_eq!(kinds[cancel + 1], "turn", "{kinds:?}");
    let turn = &document["journal"][cancel + 1]["delivered"][0]["answer"];
    assert_eq!(turn["error"], "local has cancelled the run", "{document}");
    // The same again, and nothing is called.
    let (code, stdout, stderr) = session.kael(&["runs", "replay", &id]);
    assert_eq!((code, stdout.as_str()), (1, output), "{stderr}");
    assert!(stderr.contains("enough"), "{stderr}");
    assert_eq!(session.notes().len(), 4);
    assert_eq!(session.kael(&["runs", "verify", &id]).0, 0);
    for words in [["runs", "resume", &id], ["runs", "cancel", &id]] {
        let (code, _, stderr) = session.kael(&words);
        assert!(code == 2 && stderr.contains("is cancelled"), "{stderr}");
    }
}

#[test]
fn a_process_tells_its_script_and_every_branch_is_told() {
    let script = format!(
        "{CLEANS}parallel(\n\
         function() local a <close> = taken(1) actions.t.note({{ mode = 'wait' }}) end,\n\
         function() local b <close> = taken(2) sleep('5m') end)"
    );
    let session = Session::new("effects = 'once'", &script);
    let mut host = session.start();
    begun(&session, 3);
    let (id, _) = session.run();
    let (code, stdout, _) = session.kael(&["runs", "cancel", &id]);
    assert!(
        code == 0 && stdout.contains("in the process that has it"),
        "{stdout}"
    );
    assert_ne!(host.wait().expect("it ends").code(), Some(0));
    let document = until(&session, &id, "cancelled");
    let (_, output, _) = session.kael(&["runs", "show", &id, "--output"]);
    assert!(
        output.contains("given back\t1") && output.contains("given back\t2"),
        "{output} {document}"
    );
    assert_eq!(session.notes().len(), 5);
    let (code, again, _) = session.kael(&["runs", "replay", &id]);
    assert_eq!((code != 0, &again), (true, &output));
    // What was being called then is in no doubt: the script has its answer.
    assert_eq!(session.kael(&["runs", "resolve", &id, "3", "done"]).0, 2);
}

#[test]
fn who_does_not_end_in_time_is_ended() {
    // One that catches everything, and one that never waits. Neither gives its place up: it waits for nothing that is far off.
    for script in [
        "print('begin') while true do pcall(sleep, 5) print('again') sleep(0.2) end",
        "print('begin') while true do end",
    ] {
        let session = Session::new("", script);
        let mut host = session.start();
        let late = Instant::now() + Duration::from_secs(60);
        let id = loop {
            if let Some((id, _)) = session.runs_if_any() {
                break id;
            }
            assert!(Instant::now() < late);
        };
        let asked = Instant::now();
        let (code, stdout, _) = session.kael(&["runs", "cancel", &id]);
        assert_eq!(code, 0, "{stdout}");
        host.wait().expect("it ends");
        assert!(asked.elapsed() >= Duration::from_secs(9), "{script}");
        let document = until(&session, &id, "cancelled");
        assert!(
            kinds(&document).iter().any(|kind| kind == "cancel"),
            "{document}"
        );
        assert_eq!(session.kael(&["runs", "verify", &id]).0, 0);
        assert_eq!(session.kael(&["runs", "resume", &id]).0, 2);
    }
}

#[test]
fn a_run_that_waits_is_ended_at_once_with_now() {
    let script = format!("{CLEANS}local a <close> = taken(1) wait_for('go')");
    let session = Session::new("effects = 'once'", &script);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 7);
    let (id, _) = session.run();
    let words = ["runs", "cancel", "--now", &id];
    session.prints(&words, &format!("{id}: cancelled\n"));
    assert_eq!(shown(&session, &id)["state"], "cancelled");
    session.prints(&["runs", "work", "--once"], "");
    assert_eq!(session.notes().len(), 1);
}

/// A process that is killed while its script cleans up: the next one goes on with that.
#[test]
fn cleaning_up_goes_on_after_a_kill() {
    let script = "local a <close> = setmetatable({}, { __close = function()\n\
                  print('back', actions.t.note({ mode = 'wait' }).n) end })\n\
                  actions.t.note({}) wait_for('go')";
    let session = Session::new("effects = 'idempotent'", script);
    let mut host = session.start();
    begun(&session, 1);
    let (id, _) = session.run();
    assert_eq!(session.kael(&["runs", "cancel", &id]).0, 0);
    let late = Instant::now() + Duration::from_secs(120);
    while session.notes().len() < 2 {
        assert!(Instant::now() < late, "{:?}", session.notes());
        if host.try_wait().expect("a state").is_some() {
            // It had given its place up before it was told.
            let mut command = session.kael.command();
            command.args(["runs", "resume", &id]);
            command.stdout(std::process::Stdio::null());
            host = command.spawn().expect("the host starts");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    host.kill().expect("killed");
    host.wait().expect("it ends");
    session.go();
    let (code, stdout, stderr) = session.kael(&["runs", "resume", &id]);
    assert_ne!(code, 0, "{stdout}{stderr}");
    let document = shown(&session, &id);
    assert_eq!(document["state"], "cancelled", "{document}");
    session.prints(&["runs", "show", &id, "--output"], "back\t2\n");
    let notes = session.notes();
    let calls: Vec<(&str, &str)> = notes.iter().map(|note| (&*note[0], &*note[1])).collect();
    assert_eq!(calls, [("1", "1"), ("2", "1"), ("2", "2")]);
    assert_eq!(notes[1][2], notes[2][2]);
    let cancels = kinds(&document);
    let cancels = cancels.iter().filter(|kind| *kind == "cancel").count();
    assert_eq!(cancels, 1, "{document}");
    assert_eq!(session.kael(&["runs", "verify", &id]).0, 0);
}

/// Who catches the error and ends as if nothing had happened has done its work.
#[test]
fn a_script_that_ends_well_has_succeeded() {
    let session = Session::new(
        "",
        "local ok, e = pcall(wait_for, 'go') print(ok, e.kind) return 7",
    );
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 7);
    let (id, _) = session.run();
    assert_eq!(session.kael(&["runs", "cancel", &id]).0, 0);
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    session.prints(&["runs", "show", &id, "--output"], "false\tcancelled\n");
    session.prints(&["runs", "replay", &id], "false\tcancelled\n");
}
