//! Progress on a terminal, traces, and `--watch`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use crate::packages::with_seven;
use kael_tests::{Kael, Terminal};
use serde_json::Value;

/// An action that waits until the test continues it.
fn waiting(session: Kael) -> (Kael, std::path::PathBuf) {
    let (state, fields) = session.state();
    let code = format!("while ! [ -e {state}/go ]; do sleep 0.05; done; echo 1");
    (
        session.shell("nap", &fields, &code),
        std::path::Path::new(&state).join("go"),
    )
}

#[test]
fn slow_actions_are_shown_on_a_terminal_until_they_end() {
    let (session, go) = waiting(Kael::new());
    let session = session.file(
        "script.lua",
        "print('begun') print('done', actions.t.nap({}))",
    );
    let mut terminal = Terminal::start(&session, &["run", "script.lua"]);
    terminal
        .shows("begun\r\n")
        .shows("t.nap 1s")
        .shows("t.nap 2s");
    std::fs::write(&go, "").expect("a file");
    terminal.shows("done\t1\r\n");
    let bytes = terminal.bytes().to_vec();
    let (code, text) = terminal.ends();
    assert_eq!(code, 0);
    assert!(text.ends_with("done\t1\r\n"), "{text:?}");
    let raw = String::from_utf8(bytes).expect("UTF-8");
    let last = raw.rfind("t.nap").expect("it was shown");
    assert!(raw[last..].contains("\r\x1b[K"), "{raw:?}");
}

#[test]
fn nothing_is_shown_in_a_pipe_or_where_silence_was_asked_for() {
    let session = || Kael::new().shell("nap", "", "sleep 1.5; echo 1");
    session().script("print(actions.t.nap({}))").prints("1\n");
    let session = session();
    let mut terminal = Terminal::start(&session, &["-q", "run", "-e", "print(actions.t.nap({}))"]);
    terminal.shows("1\r\n");
    assert_eq!(terminal.ends(), (0, "1\r\n".to_owned()));
}

#[test]
fn the_first_run_of_a_source_is_shown_by_its_own_name() {
    let session = with_seven(Kael::new())
        .file("impl/py/requirements.txt", "seven==1.0\n")
        .program("impl/py/main.py", "#!/usr/bin/env python3\nprint(1)\n")
        .define(
            "py",
            "source = '../impl/py', entrypoint = 'main.py', executor = 'native'",
        )
        .run_with(&["--trace", "trace.json"]);
    let ran = session.script("print(actions.t.py({}))");
    ran.prints("1\n");
    let trace = trace(&ran.path().join("trace.json"));
    let names: BTreeSet<&str> = trace
        .iter()
        .filter_map(|event| event["name"].as_str())
        .collect();
    assert!(
        names.contains("installing Python packages for py"),
        "{names:?}"
    );
}

fn trace(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a trace");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    document["traceEvents"].as_array().expect("a list").clone()
}

#[test]
fn a_trace_has_the_sandbox_and_every_action_with_branches_side_by_side() {
    // Two actions that wait for each other are always in flight together.
    let session = Kael::new();
    let (state, fields) = session.state();
    let meet = |own: &str, other: &str| {
        format!("touch {state}/{own}; while ! [ -e {state}/{other} ]; do sleep 0.05; done; echo 1")
    };
    let ran = session
        .shell("left", &fields, &meet("l", "r"))
        .shell("right", &fields, &meet("r", "l"))
        .shell("one", "", "echo 1")
        .shell("no", "", "exit 3")
        .run_with(&["--trace", "trace.json"])
        .script("actions.t.one({})\nparallel(function() actions.t.left({}) end, function() actions.t.right({}) end)\nactions.t.no({})");
    ran.exits(6);
    let path = ran.path().join("trace.json");
    let mode = path.metadata().expect("a trace").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let events = trace(&path);
    let find = |name: &str| {
        let event = events.iter().find(|event| event["name"] == name);
        event.unwrap_or_else(|| panic!("{name}: {events:?}"))
    };
    let within = |inner: &Value, outer: &Value| {
        let span = |event: &Value| {
            let begin = event["ts"].as_f64().expect("a time");
            (begin, begin + event["dur"].as_f64().expect("a time"))
        };
        let ((b, e), (from, to)) = (span(inner), span(outer));
        from <= b && e <= to
    };
    let (script, beside) = (find("script.lua"), find("parallel"));
    for name in ["t.one", "t.no"] {
        assert_eq!(find(name)["tid"], script["tid"], "{name}");
        assert!(within(find(name), script), "{name}");
    }
    assert!(within(beside, script));
    let lanes: BTreeSet<u64> = ["t.left", "t.right"]
        .into_iter()
        .map(|name| {
            assert!(within(find(name), beside), "{name}");
            find(name)["tid"].as_u64().expect("a lane")
        })
        .collect();
    assert_eq!(lanes, BTreeSet::from([1, 2]));
    assert_eq!(find("t.no")["args"]["outcome"], "failed");
    assert_eq!(find("loading the actions repo")["ph"], "X");
    assert!(
        events
            .iter()
            .any(|event| event["ph"] == "M" && event["args"]["name"] == "parallel 2")
    );
}

#[test]
fn a_trace_that_cannot_be_written_stops_the_run_before_it_begins() {
    Kael::new()
        .run_with(&["--trace", "none/trace.json"])
        .script("print(1)")
        .fails(
            2,
            "Error: the trace cannot be written: No such file or directory (os error 2)\n",
        );
}

#[test]
fn a_change_of_the_script_or_the_repo_runs_it_again() {
    let session = Kael::new()
        .file("actions/init.lua", "return { word = 'one' }")
        .file("script.lua", "print('saw ' .. actions.word)");
    let write = |path: &str, text: &str| {
        std::fs::write(session.path().join(path), text).expect("written");
    };
    let mut terminal = Terminal::start(
        &session,
        &["--actions", "actions", "run", "--watch", "script.lua"],
    );
    terminal
        .shows("saw one\r\n")
        .shows("watching (exit code 0); Ctrl-C ends\r\n");
    write("actions/init.lua", "return { word = 'another' }");
    terminal
        .shows("actions/init.lua changed\r\n")
        .shows("saw another\r\n")
        .shows("watching (exit code 0)");
    write("script.lua", "error('oh, no')");
    terminal
        .shows("script.lua changed\r\n")
        .shows("Error: script.lua:1: oh, no")
        .shows("watching (exit code 1)");
    write("script.lua", "print('well again')");
    terminal
        .shows("well again\r\n")
        .shows("watching (exit code 0)");
    terminal.types("\x03");
    assert_eq!(terminal.ends().0, 130);
}

#[test]
fn only_a_file_can_be_watched() {
    for words in [
        ["run", "--watch", "-e", "print(1)"].as_slice(),
        &["run", "--watch", "-"],
    ] {
        Kael::new()
            .words(words)
            .ends()
            .fails(2, "Error: --watch needs a script in a file\n");
    }
}

#[test]
fn an_error_shows_the_faulty_line() {
    Kael::new().script("local t = {}\n\tprint(t.fleet.size)").fails(
        1,
        "Error: script.lua:2: attempt to index a nil value (field 'fleet')\n    2 |  print(t.fleet.size)\n      |          ^^^^^\n  script.lua:2: in main chunk\n",
    );
    let repo = || {
        Kael::new()
            .shell("no", "", "echo bad >&2; exit 3")
            .file("script.lua", "\nactions.t.no({})")
    };
    repo().run_with(&["script.lua"]).ends().fails(
        6,
        "Error: t.no failed: bad\n  script.lua:2: in main chunk\n    2 | actions.t.no({})\n  it exited with status 3\n",
    );
    let ran = repo().run_with(&["--json", "script.lua"]).ends();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        report["error"]["source"],
        serde_json::json!({ "file": "script.lua", "line": 2, "text": "actions.t.no({})" })
    );
}

#[test]
fn a_definition_and_a_key_are_shown_where_they_stand() {
    let session = || {
        Kael::new().file(
            "actions/init.lua",
            "return {\n  a = define_action({\n    source = '.',\n    executor = 'native',\n    timeuot = 5,\n  }),\n}",
        )
    };
    let wrong = "Error: actions/init.lua:2: define_action: unknown field 'timeuot' (did you mean 'timeout'?)\n    5 |     timeuot = 5,\n      |     ^^^^^^^\n";
    session()
        .option(&["--actions", "actions"])
        .script("")
        .fails(3, wrong);
    session()
        .option(&["--actions", "actions"])
        .words(&["actions", "list"])
        .ends()
        .fails(3, wrong);
    Kael::new()
        .file("kael.yaml", "max_cpu: 1s\nmax_memroy: 1MiB\n")
        .words(&["config"])
        .ends()
        .fails(
            3,
            "Error: DIR/kael.yaml:2: unknown key `max_memroy` (did you mean `max_memory`?)\n    2 | max_memroy: 1MiB\n      | ^^^^^^^^^^\n",
        );
}

#[test]
fn the_repl_shows_the_lines_that_were_typed() {
    let ran = Kael::new()
        .file("lib.lua", "x = 1\nerror('in the file')")
        .words(&["repl"])
        .stdin("function f()\n  return none.x\nend\n:load lib.lua\nf()\n")
        .ends();
    ran.fails(
        1,
        "Error: lib.lua:2: in the file\n    2 | error('in the file')\n  lib.lua:2: in main chunk\n\
         Error: stdin:2: attempt to index a nil value (global 'none')\n    2 |   return none.x\n      |          ^^^^\n  stdin:2: in function 'f'\n",
    );
}

#[test]
fn a_message_quotes_no_file_that_kael_has_not_read_itself() {
    let ran = Kael::new()
        .file("secret.txt", "the secret\n")
        .script("error('secret.txt:1: look\\nsecret.txt:1: look\\n/etc/passwd:1: look', 0)");
    ran.exits(1);
    assert!(
        !ran.stderr.contains("the secret") && !ran.stderr.contains("root:"),
        "{}",
        ran.stderr
    );
}
