//! The command line: sources of scripts, output, and exit codes.

use kael_tests::{Kael, gone};

#[test]
fn a_script_comes_from_a_file_stdin_or_the_command_line() {
    Kael::new().script("print('hi', 1)").prints("hi\t1\n");
    Kael::new()
        .run_with(&["-"])
        .stdin("print(2)")
        .ends()
        .prints("2\n");
    Kael::new()
        .run_with(&["-e", "print(3)"])
        .ends()
        .prints("3\n");
}

#[test]
fn arguments_after_the_script_belong_to_it() {
    let script = "print(arg[0], #arg, table.concat(arg, ' '), ...)";
    let args = ["script.lua", "--json", "-e", "x", "--", "-v", "--max-cpu"];
    Kael::new()
        .file("script.lua", script)
        .run_with(&args)
        .ends()
        .prints("script.lua\t6\t--json -e x -- -v --max-cpu\t--json\t-e\tx\t--\t-v\t--max-cpu\n");
    Kael::new()
        .run_with(&["-e", "print(...)", "a", "-b"])
        .ends()
        .prints("a\t-b\n");
}

#[test]
fn a_script_that_cannot_be_read_is_named() {
    let run = |path| {
        Kael::new()
            .file("folder/x", "")
            .file("bytes.lua", b"a\n\xff")
            .run_with(&[path])
            .ends()
    };
    run("none.lua").fails(2, "Error: no such script: `none.lua`\n");
    run("folder").fails(2, "Error: the script `folder` is a folder\n");
    // A script may have any bytes. These are not Lua.
    run("bytes.lua").fails_with(1, "Error: bytes.lua:2: syntax error near '<\\255>'");
    Kael::new().run_with(&[]).ends().fails_with(
        2,
        "Error: no script was given: name a file, `-` for stdin, or use -e CODE",
    );
    run("--jsno").fails_with(2, "Error: unexpected argument `--jsno` (see kael-host run --help; a file can be named ./--jsno)");
}

#[test]
fn an_error_has_its_line_and_its_frames() {
    Kael::new()
        .script("local x =\n= 5")
        .fails(1, "Error: script.lua:2: unexpected symbol near '='\n");
    Kael::new().script("local function f()\n  error('boom')\nend\nf()").fails(
        1,
        "Error: script.lua:2: boom\n  script.lua:2: in local 'f'\n  script.lua:4: in main chunk\n",
    );
}

/// The parser reports deep nesting in another way than mistakes: through the error handler.
#[test]
fn code_that_nests_too_deeply_is_refused_without_the_runtimes_own_lines() {
    let deep = format!("x = {}", "{".repeat(300));
    Kael::new()
        .script(&deep)
        .fails(1, "Error: script.lua: the code nests too deeply\n");
    Kael::new()
        .words(&["repl"])
        .stdin(&format!("{deep}\n"))
        .ends()
        .fails(1, "Error: stdin: the code nests too deeply\n");
}

#[test]
fn nothing_in_an_error_drives_the_terminal_or_fakes_a_message() {
    Kael::new()
        .script("error('a\\27[31mb\\rc\\nError: fake', 0)")
        .fails(
            1,
            "Error: a\\u{1b}[31mb\\u{d}c\n  Error: fake\n  script.lua:1: in main chunk\n",
        );
}

#[test]
fn without_a_repo_the_first_use_of_actions_is_an_error() {
    Kael::new()
        .file("actions/init.lua", "return {}")
        .script("print(1)")
        .prints("1\n");
    Kael::new()
        .script("print(1)\nlocal x = actions.a")
        .fails_with(
            1,
            "Error: script.lua:2: no actions repo was given: use --actions DIR or set KAEL_ACTIONS",
        );
}

#[test]
fn a_json_report_holds_the_run() {
    let ran = Kael::new()
        .shell("add", "", r#"sed 's/.*"a":\([0-9]*\).*/{"sum":\1}/'"#)
        .run_with(&["--json"])
        .script("print('hi') return { actions.t.add({ a = 4 }).sum, 1.0 }");
    let report: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(report["ok"], true);
    assert_eq!(report["output"], "hi\n");
    assert_eq!(report["result"].to_string(), "[4,1.0]");
    assert_eq!(report["calls"][0]["action"], "t.add");
    assert_eq!(report["calls"][0]["outcome"], "ok");
    assert!(report["calls"][0]["ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert_eq!(report["usage"]["calls"], 1);
    assert!(
        report["usage"]["memory_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 100_000)
    );
    assert_eq!(report["error"], serde_json::Value::Null);
}

#[test]
fn a_json_report_holds_the_error() {
    let ran = Kael::new()
        .shell("no", "", "echo bad >&2; exit 3")
        .run_with(&["--json"])
        .script("actions.t.no({})");
    let report: serde_json::Value = serde_json::from_str(&ran.exits(6).stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    assert_eq!(report["exit_code"], 6);
    assert_eq!(report["error"]["kind"], "failed");
    assert_eq!(report["error"]["action"], "t.no");
    assert_eq!(report["error"]["message"], "t.no failed: bad");
    assert_eq!(
        report["error"]["traceback"][0],
        "script.lua:1: in main chunk"
    );
}

#[test]
fn a_result_that_json_cannot_hold_is_an_error_of_the_report_alone() {
    Kael::new().script("return print").prints("");
    let ran = Kael::new()
        .run_with(&["--json"])
        .script("return { f = print }");
    let report: serde_json::Value = serde_json::from_str(&ran.exits(1).stdout).expect("JSON");
    assert_eq!(
        report["error"]["message"],
        "script.lua: the value that the script returned: $.f is a function, which JSON cannot hold"
    );
}

#[test]
fn verbose_lists_the_calls() {
    let ran = Kael::new()
        .shell("ok", "", "echo 1")
        .option(&["-v"])
        .script("actions.t.ok({})");
    ran.exits(0).says("t.ok").says("outcome=\"ok\"");
}

#[test]
fn a_closed_stdout_ends_the_run_quietly() {
    let session = Kael::new().run_with(&["-e", "while true do print('y') end"]);
    let mut child = session.start();
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(141), &b""[..])
    );
}

#[test]
fn an_interrupt_ends_the_run_and_its_processes() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let nap = format!("touch {state}/started; setsid sleep 4812.5 & sleep 4812.5");
    let session = session.shell("nap", &fields, &nap).run_with(&[
        "-e",
        "parallel(function() actions.t.nap({}) end, function() actions.t.nap({}) end)",
    ]);
    let child = session.start();
    let started = session.path().join("state/started");
    while !started.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill")
            .success()
    );
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Error: the run was ended by signal 2\n"
    );
    assert!(gone("4812.5"));
}

#[test]
fn a_killed_host_leaves_nothing_behind() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let nap = format!("touch {state}/started; setsid sleep 4812.6 & sleep 4812.6");
    let session = session
        .shell("nap", &fields, &nap)
        .run_with(&["-e", "actions.t.nap({})"]);
    let mut child = session.start();
    while !session.path().join("state/started").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("a signal");
    child.wait().expect("it ends");
    assert!(gone("4812.6"));
}

#[test]
fn setup_reports_an_installed_envyr() {
    let data = kael_tests::Program::get().data.display().to_string();
    let session = Kael::new().env("KAEL_DATA", &data);
    let ran = session.words(&["setup", "--json"]).ends();
    let told: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("a document");
    assert_eq!(
        (told["version"].as_str(), told["installed"].as_bool()),
        (Some("0.4.2"), Some(false))
    );
    let ran = Kael::new()
        .env("PATH", "/nowhere")
        .words(&["setup", "--json"])
        .ends();
    let told: serde_json::Value = serde_json::from_str(&ran.exits(3).stdout).expect("a document");
    let hint = told["error"]["hint"].as_str().expect("a hint");
    assert!(hint.starts_with("install Rust with cargo"), "{hint}");
    let ran = Kael::new().env("KAEL_DATA", &data).words(&["setup"]).ends();
    assert!(
        ran.exits(0).stdout.starts_with("envyr 0.4.2 is ready: "),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_repo_can_be_named_by_the_environment() {
    Kael::new()
        .file("repo/init.lua", "return { version = 7 }")
        .env("KAEL_ACTIONS", "repo")
        .run_with(&["-e", "print(actions.version)"])
        .ends()
        .prints("7\n");
}

#[test]
fn quiet_prints_only_the_error() {
    Kael::new()
        .option(&["-q"])
        .run_with(&["--max-output", "1B", "-e", "print('xx')"])
        .ends()
        .fails(
            5,
            "Error: the script printed more than the 1 B it may print (it was about to have printed 3 B)\n  (command line):1: in main chunk\n",
        );
}

#[test]
fn a_polite_end_has_its_signal() {
    let session = Kael::new().run_with(&["-e", "print('on') while true do end"]);
    let mut child = session.start();
    let mut first = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut first).expect("it runs");
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill")
            .success()
    );
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143));
}

#[test]
fn help_and_version_are_there() {
    let help = Kael::new().words(&["run", "--help"]).ends();
    for word in [
        "--max-memory",
        "--max-cpu",
        "--timeout",
        "--max-output",
        "--max-calls",
        "--max-parallel",
        "--deny",
        "Examples:",
    ] {
        assert!(help.exits(0).stdout.contains(word), "{word}");
    }
    assert!(
        Kael::new()
            .words(&["--version"])
            .ends()
            .exits(0)
            .stdout
            .starts_with("kael-host ")
    );
    Kael::new().words(&["runn"]).ends().exits(2);
}

#[test]
fn time_comes_through_the_gate_in_utc() {
    Kael::new()
        .env("TZ", "Asia/Tokyo")
        .script(
            "print(os.date('%Y-%m-%d %H:%M', 86400), os.time({ year = 2020, month = 1, day = 1, hour = 0 }))
             print(os.time() > 1.7e9, math.abs(os.time() - os.time(os.date('*t'))) <= 1, os.clock() < 5, os.difftime(5, 3))",
        )
        .prints("1970-01-02 00:00\t1577836800\ntrue\ttrue\ttrue\t2.0\n");
}

#[test]
fn random_numbers_differ_from_run_to_run() {
    let roll = || {
        Kael::new()
            .script("print(math.random(1 << 60))")
            .stdout
            .clone()
    };
    assert_ne!(roll(), roll());
}

#[test]
fn a_full_disk_is_no_closed_reader() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let output = std::process::Command::new(&kael_tests::Program::get().host)
        .args(["run", "-e", "print(1)"])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stdout(full)
        .output()
        .expect("it ends");
    assert_eq!(output.status.code(), Some(74));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Error: the output cannot be written: No space left on device (os error 28)\n"
    );
}

#[test]
fn a_closed_stderr_changes_nothing() {
    let session = Kael::new().run_with(&["-e", "error('x')"]);
    let mut child = session.start();
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn an_unread_report_does_not_block_the_end() {
    use std::io::Read as _;
    use std::time::{Duration, Instant};

    let session = Kael::new().run_with(&["--json", "-e", "print(('x'):rep(1 << 20))"]);
    let mut child = session.start();
    let mut printed = child.stdout.take().expect("it is piped");
    // When the first byte has come the run is over, and the pipe has no room for the rest.
    printed.read_exact(&mut [0]).expect("a byte");
    let pid = rustix::process::Pid::from_child(&child);
    let start = Instant::now();
    let status = loop {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().expect("it is killed");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(128 + 15));
}
