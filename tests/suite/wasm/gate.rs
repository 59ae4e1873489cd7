//! WebAssembly actions at the gate: cached results, answers, dry runs, schemas, commands.

use std::fs;

use super::*;

#[test]
fn kept_results_are_those_of_the_folders_as_they_are() {
    let session = reader("cache = 300").run_with(&[
        "-e",
        "print(actions.t.m({ ['do'] = 'read', path = '/data/x' }))",
    ]);
    // A separate cache, not shared with other tests.
    let data = session.path().join("kept").display().to_string();
    let session = session.env("KAEL_DATA", &data);
    let kept = || {
        let mut command = session.command();
        let output = command.args(["cache", "ls", "--json"]).output();
        let text = output.expect("the host starts").stdout;
        let report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        report["entries"].as_array().expect("a list").len()
    };
    let run = || {
        let output = session.start().wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(
        (run(), run(), kept()),
        ("one\n".to_owned(), "one\n".to_owned(), 1)
    );
    fs::write(session.path().join("data/x"), "two").expect("a file");
    assert_eq!((run(), kept()), ("two\n".to_owned(), 2));
    fs::create_dir(session.path().join("data/.git")).expect("a folder");
    fs::write(session.path().join("data/.git/y"), "").expect("a file");
    assert_eq!((run(), kept()), ("two\n".to_owned(), 3));
}

#[test]
fn answers_are_recorded_and_given_again_without_it() {
    let script = "print(actions.t.m({ ['do'] = 'echo', n = 1.5 }).n, pcall(actions.t.m, { ['do'] = 'exit', code = 4 }))";
    let session = both("").file("script.lua", script);
    let record = session
        .words(&["run", "--record", "answers.jsonl", "script.lua"])
        .ends();
    record.prints("1.5\tfalse\tt.m failed: exited with status 4\n");
    let text = fs::read_to_string(record.path().join("answers.jsonl")).expect("recorded");
    assert_eq!(text.lines().count(), 2, "{text}");
    // The file is missing, so nothing can run.
    let dry = Kael::new()
        .define(
            "m",
            "source = '../impl', entrypoint = 'm.wasm', executor = 'wasm'",
        )
        .file("answers.jsonl", text)
        .file("script.lua", script)
        .words(&[
            "run",
            "--dry-run",
            "--answers",
            "answers.jsonl",
            "script.lua",
        ])
        .ends();
    assert_eq!(
        (dry.code, dry.stdout.as_str()),
        (0, record.stdout.as_str()),
        "{}",
        dry.stderr
    );
}

#[test]
fn a_dry_run_shows_the_parameters() {
    let ran = define(
        shared(),
        "m",
        &module(),
        "env = { 'TENANT' }, input = 'args', example = 5, timeout = 1",
    )
    .env("TENANT", "acme")
    .run_with(&["--dry-run"])
    .script("print(actions.t.m({ name = 'x' }))");
    assert_eq!(
        (ran.exits(0).stdout.as_str(), ran.stderr.as_str()),
        (
            "5\n",
            "dry run: t.m
  params   {\"name\":\"x\"}
  command  m.wasm --name=x
  note     runs in this process
  env      TENANT KAEL_IDEMPOTENCY_KEY KAEL_RUN KAEL_CALL KAEL_ATTEMPT
  answer   5 (the `example` of its definition)
"
        )
    );
}

#[test]
fn schemas_apply_to_wasm_actions() {
    let fields = "params = { ['do'] = 'string', n = 'integer?' }, returns = { ['do'] = 'string', n = 'integer' }";
    let session = || both(fields);
    answers(
        session(),
        "{ ['do'] = 'echo', n = 1 }",
        "{\"do\":\"echo\",\"n\":1}",
    );
    answers(
        session(),
        "{ ['do'] = 'echo', n = 'x', other = 1 }",
        "invalid_params\tparameter `n` must be an integer, got a string; parameter `other` is not known",
    );
    answers(
        session(),
        "{ ['do'] = 'echo' }",
        "bad_output\treturned what its definition does not promise: `n` is missing",
    );
}

#[test]
fn one_can_be_called_and_described_from_the_command_line() {
    let session = || {
        both("description = 'Probes.', dirs = { ['/data'] = { path = '../data' } }")
            .file("data/x", "one")
    };
    session()
        .words(&[
            "actions",
            "exec",
            "t.c",
            "--param",
            "do=read",
            "--param",
            "path=/data/x",
        ])
        .ends()
        .prints("\"one\"\n");
    let ran = session().words(&["actions", "describe", "t.c"]).ends();
    for row in [
        "  Probes.\n",
        "\nruns        c.wasm (other, WebAssembly, in this process)\n",
        "\nexecutor    wasm\n",
        "\ndirs        /data is ../data (read)\n",
        "wasi:filesystem/preopens@0.2",
    ] {
        assert!(
            ran.exits(0).stdout.contains(row),
            "{row:?} is not in: {}",
            ran.stdout
        );
    }
}

#[test]
fn imports_are_checked_against_the_grants_before_a_run() {
    let session = || define(networked(""), "ok", &module(), "");
    let ran = session().words(&["actions", "validate"]).ends();
    let told = ran
        .exits(3)
        .stdout
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(
        told.contains(": error: t.s: `s.wasm` needs `network` in its definition, for what it imports: wasi:sockets/"),
        "{told}"
    );
    assert!(
        ran.stdout.ends_with("2 valid actions, 1 problem\n"),
        "{}",
        ran.stdout
    );
    let ran = session().words(&["actions", "describe", "t.s"]).ends();
    assert!(
        ran.exits(0)
            .stdout
            .contains("\nproblem     `s.wasm` needs `network`"),
        "{}",
        ran.stdout
    );
    networked("network = { '127.0.0.1:1' }")
        .words(&["actions", "validate"])
        .ends()
        .prints(
            "note: `effects` is assumed where definitions name none: \"once\" of t.s\n1 valid action, no problems\n",
        );
    let junk = define(Kael::new(), "a", b"junk", "")
        .words(&["actions", "validate"])
        .ends();
    assert!(
        junk.exits(3)
            .stdout
            .contains("error: t.a: `a.wasm` is neither a component nor a core module"),
        "{}",
        junk.stdout
    );
    let http = "(component (import \"wasi:http/incoming-handler@0.2.0\" (instance)))";
    let ran = wat("", http).words(&["actions", "validate"]).ends();
    assert!(
        ran.exits(3)
            .stdout
            .contains("imports what Kael does not have: wasi:http/incoming-handler@0.2.0"),
        "{}",
        ran.stdout
    );
}
