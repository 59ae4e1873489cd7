//! A run that is opened where its journal is left: Lua in the state that it had there, and nothing is called.

use std::io::Write as _;
use std::process::Stdio;

use super::Session;

const SCRIPT: &str = "local total = 0\n\
    local function add(n) local before = total total = total + n return actions.t.note({ n = n }).n + before end\n\
    shared = { 'global' }\n\
    for i = 1, 3 do print(i, add(i * 10)) end";

impl Session {
    /// Opens a run at an entry, and types these lines.
    fn looks(&self, id: &str, to: Option<u64>, typed: &str) -> (i32, String, String) {
        let mut command = self.kael.command();
        command.args(["runs", "replay", id, "--repl"]);
        if let Some(to) = to {
            command.args(["--to", &to.to_string()]);
        }
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut host = command.spawn().expect("the host starts");
        let mut pipe = host.stdin.take().expect("a pipe");
        pipe.write_all(typed.as_bytes()).ok();
        drop(pipe);
        let output = host.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().unwrap_or(-1);
        (code, text(output.stdout), text(output.stderr))
    }

    /// The number of the entry of that kind, counted from 1.
    fn entry(&self, id: &str, kind: &str, nth: usize) -> u64 {
        let shown = self.json(&["runs", "show", id, "--json"]);
        let journal = shown["journal"].as_array().expect("a list");
        let mut found = journal.iter().enumerate();
        let found = found
            .by_ref()
            .filter(|(_, entry)| entry["kind"] == kind)
            .nth(nth - 1);
        found.unwrap_or_else(|| panic!("{shown}")).0 as u64
    }
}

#[test]
fn a_run_is_opened_with_the_locals_that_it_had() {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    // The second call has been made and not answered: the loop is at 2.
    let to = session.entry(&id, "prints", 1);
    let typed = "i, n, before, total\nshared[1]\ntotal = 7\nadd\nfor k = 1, 2 do\n  print('k', k, total)\nend\n\
                 local x = 1\nx\n";
    let (code, stdout, stderr) = session.looks(&id, Some(to), typed);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let (head, rest) = stdout.split_once("2\t20\t10\t30\n").expect(&stdout);
    assert_eq!(head, "1\t1\n");
    assert!(rest.starts_with("\"global\"\nfunction: "), "{rest}");
    assert!(rest.ends_with("k\t1\t7\nk\t2\t7\nnil\n"), "{rest}");
    assert_eq!(session.notes().len(), 3);
    // As the journal was, it is.
    assert_eq!(session.kael(&["runs", "verify", &id]).0, 0);
    session.prints(&["runs", "replay", &id], "1\t1\n2\t12\n3\t33\n");
}

#[test]
fn an_entry_between_two_crossings_is_where_the_first_of_them_left_the_script() {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    // The second call is about to begin, and then it has ended; its script has no answer of it yet.
    for kind in ["intent", "outcome"] {
        let to = session.entry(&id, kind, 2);
        let (code, stdout, _) = session.looks(&id, Some(to), "n, before, total\n");
        assert_eq!(code, 0, "{stdout}");
        assert!(stdout.ends_with("20\t10\t30\n"), "{kind}: {stdout}");
    }
}

#[test]
fn nothing_is_called_from_a_run_that_is_looked_at() {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let to = session.entry(&id, "turn", 2);
    for (typed, why) in [
        (
            "actions.t.note({ n = 1 })",
            "t.note failed: the run is only looked at, where its journal was left: nothing is called from there",
        ),
        ("add(1)", "the run is only looked at"),
        (
            "parallel(function() return actions.t.note({}) end, function() sleep(60) end)",
            "the run is only looked at",
        ),
        ("wait_for('x')", "the run is only looked at"),
        (
            "runs.start { script = 'return 1' }",
            "the run is only looked at",
        ),
        (
            "runs.continue_as { script = 'return 1' }",
            "the run is only looked at",
        ),
        ("status('x')", "the run is only looked at"),
        ("total )", "repl:1:"),
        ("for", "the input ends in the middle of a chunk"),
        ("error('mine')", "mine"),
    ] {
        let (code, _, stderr) = session.looks(&id, Some(to), &format!("{typed}\n"));
        assert!(
            code == 1 && stderr.contains(why),
            "{typed}: {code}: {stderr}"
        );
    }
    assert_eq!(session.notes().len(), 3);
    session.runs(1);
    // An error ends no look, and the exit code is that of the last input.
    let (code, stdout, stderr) = session.looks(&id, Some(to), "error('mine')\n1 + 1\n");
    assert_eq!((code, stdout.ends_with("2\n")), (0, true), "{stderr}");
}

#[test]
fn a_run_that_waits_is_opened_where_it_waits() {
    let script = "local plan = { step = 2 } print('before')\n\
                  print(race(function() local me = 'waiter' return wait_for('go') end, function() sleep('1h') end))";
    let session = Session::new("", script);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 7);
    let (id, _) = session.run();
    let (code, stdout, stderr) = session.looks(&id, None, "plan.step\n");
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "before\n2\n", "")
    );
    // One that is over is not opened behind its end.
    let session = Session::new("", "print(1)");
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let (code, stdout, stderr) = session.looks(&id, None, "1\n");
    assert_eq!((code, stdout.as_str()), (2, "1\n"));
    assert!(stderr.contains("the script ends before that"), "{stderr}");
}

/// Where a branch of `parallel` asks for something, its locals are seen, and what it captures; not those of another branch.
#[test]
fn a_branch_is_opened_with_its_own_locals() {
    let script = "local outer = 'o'\n\
                  parallel(\n\
                  function() local mine, first = 1, 'x' actions.t.note { n = 1 } return first end,\n\
                  function() local mine = 2 sleep(0.05) return outer, actions.t.note { n = mine } end)";
    let session = Session::new("effects = 'idempotent'", script);
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let turn = session.entry(&id, "turn", 1);
    for (to, seen, frame) in [
        (
            session.entry(&id, "own", 1),
            "1\t\"x\"\tnil\n",
            "locals mine, first",
        ),
        (turn, "2\tnil\t\"o\"\n", "locals mine"),
        // The last call of the second branch.
        (
            session.entry(&id, "intent", 2) - 1,
            "2\tnil\t\"o\"\n",
            "locals mine",
        ),
    ] {
        let (code, stdout, stderr) = session.looks(&id, Some(to), "mine, first, outer\n");
        assert_eq!(
            (code, stdout.as_str(), stderr.as_str()),
            (0, seen, ""),
            "{to}"
        );
        let (_, _, stderr) = session.kael(&["runs", "replay", &id, "--to", &to.to_string()]);
        assert!(stderr.contains(frame), "{to}: {stderr}");
    }
}
