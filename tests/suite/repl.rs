//! `kael-host repl`: from a pipe, and on a terminal.

use std::os::unix::fs::PermissionsExt as _;

use kael_tests::{Kael, Ran, Terminal, gone};
use serde_json::{Value, json};

/// Runs the REPL with input from a pipe.
fn piped(session: Kael, options: &[&str], input: &str) -> Ran {
    session.words(&["repl"]).words(options).stdin(input).ends()
}

fn counting() -> Kael {
    Kael::new().shell("echo", "description = 'Gives back.'", "cat")
}

#[test]
fn values_are_printed_and_variables_kept() {
    piped(
        counting(),
        &[],
        "x = { 1, a = 'b' }\nx\nx.a, nil\nprint(#x)\nactions.t.echo({ n = x[1] }).n + 1\n-- nothing\nlocal y = 1\ny\n",
    )
    .prints("{ 1, a = \"b\" }\n\"b\"\tnil\n1\n2\nnil\n");
}

#[test]
fn a_multi_line_input_continues_until_it_is_complete() {
    piped(
        Kael::new(),
        &[],
        "function f(n)\n  return n +\n    1\nend\nf(1)\n1 +\n2\nx = [[a\nb]]\nx\n",
    )
    .prints("2\n3\n\"a\\nb\"\n");
}

#[test]
fn errors_keep_the_session_and_the_last_one_gives_the_exit_code() {
    let repl = |input: &str, options: &[&str]| {
        let mut words = vec!["repl"];
        words.extend(options);
        let kael = counting().shell("no", "", "echo bad >&2; exit 3");
        kael.words(&words).stdin(input).ends()
    };
    let ran = repl(
        "x = 4\n\nfunction f()\n  error('boom')\nend\nf()\nx = = 1\nx\n",
        &[],
    );
    ran.fails(
        1,
        "Error: stdin:4: boom\n  stdin:4: in function 'f'\nError: stdin:7: unexpected symbol near '='\n",
    );
    assert_eq!(ran.stdout, "4\n");
    assert_eq!(repl("error('x')\nactions.t.no({})\n1", &[]).code, 6);
    assert_eq!(repl("actions.t.no({})\nnil + 1", &[]).code, 1);
    let denied = repl("actions.t.echo({})", &["--deny", "t.echo"]);
    denied.fails_with(
        4,
        "Error: t.echo failed: denied by the policy (deny t.echo)",
    );
    repl("for i = 1, 2 do\n  print(i)", &[]).fails(
        1,
        "Error: stdin:2: 'end' expected (to close 'for' at line 1) near <eof>\n",
    );
    repl("1", &[]).prints("1\n");
    repl("", &[]).prints("");
}

#[test]
fn a_limit_that_ends_the_sandbox_reports_lost_variables() {
    let lost = "The session's variables are lost. A new one has begun, with the repo loaded.\n";
    let ran = piped(
        counting(),
        &["--max-cpu", "300ms"],
        "x = 1\nwhile true do end\nx\nactions.t.echo({ a = 2 }).a\n",
    );
    ran.exits(5).says("and may for 300ms");
    ran.says(lost);
    assert_eq!(ran.stdout, "nil\n2\n");
    let ran = piped(
        counting(),
        &["--max-memory", "16MiB"],
        "x = 1\ny = ('x'):rep(1 << 26)\nx\n",
    );
    ran.exits(5).says("16 MiB").says(lost);
    assert_eq!(ran.stdout, "nil\n");
    let ran = piped(
        Kael::new(),
        &["--max-output", "10B"],
        "x = 1\nprint(('y'):rep(20))\nx\n",
    );
    ran.exits(5).says(lost);
    assert_eq!(ran.stdout, "yyyyyyyyyynil\n");
}

#[test]
fn limits_count_anew_for_every_input() {
    let calls = "actions.t.echo({ a = 1 }).a\n";
    piped(counting(), &["--max-calls", "1"], &calls.repeat(3)).prints("1\n1\n1\n");
    piped(Kael::new(), &["--max-output", "4B"], "123\n456\n789\n").prints("123\n456\n789\n");
    piped(
        counting(),
        &["--max-calls", "1"],
        "actions.t.echo({}) actions.t.echo({})\n",
    )
    .exits(5);
}

#[test]
fn commands_describe_load_and_reset() {
    let session = counting()
        .file(
            "lib.lua",
            "#!/usr/bin/env kael\nhelp = 7\nreturn 'not shown'",
        )
        .file("bad.lua", "x = 1\ny = = 2")
        .file("loop.lua", "for");
    let ran = piped(
        session,
        &[],
        ":load lib.lua\nhelp\n:load bad.lua\n:load none.lua\n:load loop.lua\n:describe t.ecko\n:describe\n:frob\n:reset\nhelp\n:d actions.t.echo\n:q\nprint('past the end')\n",
    );
    ran.fails(
        2,
        "Error: bad.lua:2: unexpected symbol near '='\nError: no such script: `none.lua`\n\
         Error: loop.lua:1: <name> expected near <eof>\n\
         Error: no action 't.ecko' (did you mean 't.echo'?)\nhint: see kael-host actions list\n\
         Error: :describe needs the name of an action: :describe prometheus.query\n\
         Error: there is no `:frob`: try :describe NAME, :load FILE, :reset, :help or :quit\n",
    );
    let shown = &ran.stdout;
    assert!(
        shown.starts_with("7\nnil\nt.echo\n  Gives back.\n"),
        "{shown}"
    );
    assert!(
        shown.contains("runs        echo.sh") && !shown.contains("past"),
        "{shown}"
    );
}

#[test]
fn invalid_input_and_an_invalid_repo_end_the_session() {
    let child = |input: &[u8]| {
        let session = Kael::new().words(&["repl"]);
        let mut command = session.command();
        command.arg("repl").stdin(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the host starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input).expect("typed");
        child.wait_with_output().expect("it ends")
    };
    let output = child(b"x = 1\n\xff\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Error: line 2 of stdin is not UTF-8 text\n"
    );
    let ran = Kael::new()
        .file("actions/init.lua", "return {")
        .option(&["--actions", "actions"])
        .words(&["repl"])
        .stdin("1")
        .ends();
    ran.fails_with(3, "Error: actions/init.lua:1: unexpected symbol near <eof>");
}

#[test]
fn help_has_an_example() {
    let help = Kael::new().words(&["repl", "--help"]).ends();
    for text in [
        "kael-host --actions ./actions repl",
        "--no-history",
        "--max-cpu",
        "without prompt or banner",
    ] {
        assert!(help.exits(0).stdout.contains(text), "{text}");
    }
}

#[test]
fn a_terminal_has_prompts_a_history_and_input_of_several_lines() {
    let session = counting();
    let mut terminal = Terminal::start(&session, &["repl"]);
    terminal
        .shows("kael-host ")
        .shows("actions: 1")
        .shows("kael:1> ");
    terminal.types("x = 20 + 2\r").shows("kael:2> ");
    terminal
        .types("x * 2\r")
        .shows("\n44\r\n")
        .shows("kael:3> ");
    terminal.types("for i = 1, 2 do\rprint('n' .. i)\rend\r");
    terminal.shows("\nn1\r\nn2\r\n").shows("kael:6> ");
    terminal.types(" secret = 1\r").shows("kael:7> ");
    terminal
        .types("error('bo' .. 'om')\r")
        .shows("Error: repl:7: boom")
        .shows("kael:8> ");
    terminal
        .types("print('a\\27[2Jb')\r")
        .shows("\na\\u{1b}[2Jb\r\n")
        .shows("kael:9> ");
    terminal.types("\x04");
    let (code, _) = terminal.ends();
    assert_eq!(code, 0);
    let history = session.path().join("data/history");
    let mode = history.metadata().expect("a history").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(&history).expect("text");
    assert!(kept.contains("x * 2") && !kept.contains("secret"), "{kept}");

    // Arrow Up twice gives the last but one input of the previous session.
    let mut terminal = Terminal::start(&session, &["repl"]);
    terminal.shows("kael:1> ");
    terminal
        .types("\x1b[A\x1b[A\r")
        .shows("Error: repl:1: boom")
        .shows("kael:2> ");
    terminal.types(":quit\r");
    assert_eq!(terminal.ends().0, 0);
    let mut terminal = Terminal::start(&session, &["repl", "--no-history"]);
    terminal
        .shows("kael:1> ")
        .types("unseen = 1\r")
        .shows("kael:2> ")
        .types("\x04");
    assert_eq!(terminal.ends().0, 0);
    let kept = std::fs::read_to_string(&history).expect("text");
    assert!(!kept.contains("unseen"), "{kept}");
}

#[test]
fn tab_completes_what_the_sandbox_has() {
    let session = counting().file("script.lua", "loaded = 'yes'");
    let mut terminal = Terminal::start(&session, &["repl"]);
    terminal.shows("kael:1> ");
    terminal
        .types("actions.t.ec\t({ deep = 4 }).deep\r")
        .shows("\n4\r\n")
        .shows("kael:2> ");
    terminal.types("cost = { total = 5 }\r").shows("kael:3> ");
    terminal
        .types("cost.to\t + 1\r")
        .shows("\n6\r\n")
        .shows("kael:4> ");
    terminal
        .types("insp\t(cost)\r")
        .shows("total = 5")
        .shows("kael:5> ");
    terminal
        .types(":desc\t t.e\t\r")
        .shows("Gives back.")
        .shows("kael:6> ");
    terminal.types(":load scr\t\r").shows("kael:7> ");
    terminal
        .types("loaded\r")
        .shows("\n\"yes\"\r\n")
        .shows("kael:8> ");
    terminal.types(":quit\r");
    assert_eq!(terminal.ends().0, 0);
}

#[test]
fn ctrl_c_ends_the_evaluation_and_not_the_session() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let session = session.shell(
        "nap",
        &fields,
        &format!("touch {state}/started; sleep 4813.1"),
    );
    let mut terminal = Terminal::start(&session, &["repl"]);
    terminal.shows("kael:1> ");
    terminal.types("x = 5\r").shows("kael:2> ");
    // While a line is being typed.
    terminal
        .types("x = 6")
        .shows("x = 6")
        .types("\x03")
        .shows("kael:2> ");
    // While a script computes and catches errors.
    terminal.types("print('on') while true do pcall(function() while true do end end) end\r");
    terminal
        .shows("\non\r\n")
        .types("\x03")
        .shows("Error: interrupted")
        .shows("kael:3> ");
    // While an action and its processes run.
    terminal.types("actions.t.nap({})\r");
    while !session.path().join("state/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    terminal
        .types("\x03")
        .shows("interrupted")
        .shows("kael:4> ");
    assert!(gone("4813.1"));
    std::fs::remove_file(session.path().join("state/started")).expect("a file");
    terminal
        .types("parallel(function() actions.t.nap({}) end, function() actions.t.nap({}) end)\r");
    while !session.path().join("state/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    terminal
        .types("\x03")
        .shows("interrupted")
        .shows("kael:5> ");
    assert!(gone("4813.1"));
    terminal.types("x\r").shows("\n5\r\n").shows("kael:6> ");
    // A single long step of Lua ends with the sandbox.
    terminal.types("print('on'); ('a'):rep(40):find(('a*'):rep(40) .. 'b')\r");
    terminal.shows("\non\r\n").types("\x03\x03");
    terminal
        .shows("Error: interrupted")
        .shows("variables are lost")
        .shows("kael:7> ");
    terminal.types("x\r").shows("\nnil\r\n").shows("kael:8> ");
    terminal.types("\x04");
    assert_eq!(terminal.ends().0, 0);
}

#[test]
fn a_polite_end_at_the_prompt_restores_the_terminal() {
    let session = Kael::new();
    let mut terminal = Terminal::start(&session, &["repl"]);
    terminal.shows("kael:1> ");
    let pid = terminal.pid().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(sent.expect("kill").success());
    let (code, text) = terminal.ends();
    assert_eq!(code, 143, "{text}");
    assert!(
        text.contains("Error: the run was ended by signal 15"),
        "{text}"
    );
}

#[test]
fn every_input_is_a_document_on_a_line_of_its_own() {
    let input = "x = 20\nx + 1\nprint('a')\nfunction f()\n  error('no \\27[2J')\nend\nf()\n:describe t.echo\n:load nowhere\nwhile true do end\nx\n";
    let ran = piped(counting(), &["--json", "--max-cpu", "200ms"], input);
    assert_eq!((ran.code, ran.stderr.as_str()), (5, ""));
    let documents = ran.stdout.lines().map(|line| {
        let document: Value = serde_json::from_str(line).expect("a document");
        let message = document["error"]["message"].as_str().unwrap_or_default();
        let output = document["output"].as_str().expect("text");
        assert_eq!(document["ok"], json!(message.is_empty()));
        let lost = document["session_lost"].as_bool().expect("a boolean");
        (
            document["exit_code"].as_i64(),
            output.to_owned(),
            message.to_owned(),
            lost,
        )
    });
    let documents: Vec<_> = documents.collect();
    let told = |at: usize| {
        let (code, output, message, lost) = &documents[at];
        (*code, output.as_str(), message.as_str(), *lost)
    };
    assert_eq!(told(0), (Some(0), "", "", false));
    assert_eq!(told(1), (Some(0), "21\n", "", false));
    assert_eq!(told(2), (Some(0), "a\n", "", false));
    assert_eq!(told(3), (Some(0), "", "", false));
    assert_eq!(told(4), (Some(1), "", "stdin:5: no \u{1b}[2J", false));
    assert!(told(5).1.contains("Gives back."), "{documents:?}");
    assert_eq!(told(6).0, Some(2));
    assert_eq!((told(7).0, told(7).3), (Some(5), true));
    assert_eq!(told(8), (Some(0), "nil\n", "", false));
    assert_eq!(documents.len(), 9);
    let nowhere = Kael::new().option(&["--actions", "nowhere"]);
    let ran = piped(nowhere, &["--json"], "1\n");
    let document: Value = serde_json::from_str(&ran.exits(3).stdout).expect("a document");
    assert_eq!(
        (&document["ok"], &document["error"]["kind"]),
        (&json!(false), &json!("repo"))
    );
}

/// A signal ends the current evaluation and its processes, also after it has printed.
#[test]
fn a_signal_after_much_output_still_cleans_up() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let temporary = session.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a folder");
    let nap = format!("touch {state}/started; sleep 4813.7");
    let session = session
        .shell("nap", &fields, &nap)
        .env("TMPDIR", &temporary.display().to_string())
        .words(&["repl", "--json"])
        .stdin("print(('x'):rep(1 << 20))\nactions.t.nap({})\n");
    let mut child = session.start();
    let mut printed = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
    while !session.path().join("state/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 15));
    reader.join().expect("it reads").expect("a pipe");
    assert!(gone("4813.7"));
    let left = std::fs::read_dir(&temporary).expect("a folder").count();
    assert_eq!(left, 0);
}
