//! What was decided, in reports, records and the audit log.

use std::os::unix::fs::FileExt as _;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::{POLICY, session};

#[test]
fn the_report_says_what_was_decided() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml", "--json"])
        .script("actions.t.look({}) pcall(actions.t.delete, {})");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let decision = |at: usize| report["calls"][at]["decision"].clone();
    assert_eq!(
        decision(0),
        serde_json::json!({ "verdict": "allow", "rule": "allow t.look", "file": "p.yaml", "line": 3, "reason": null })
    );
    assert_eq!(decision(1)["rule"], "deny *.delete");
    assert_eq!(decision(1)["line"], 9);
}

#[test]
fn the_record_the_trace_and_the_page_say_what_was_decided() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&[
            "--policy", "p.yaml", "--record", "r.json", "--trace", "t.json", "--html", "p.html",
        ])
        .script("actions.t.look({}) pcall(actions.t.delete, {})");
    ran.exits(0);
    let read = |name: &str| std::fs::read_to_string(ran.path().join(name)).expect("it was written");
    let record = read("r.json");
    assert!(
        record.contains(
            r#""decision":{"file":"p.yaml","line":3,"rule":"allow t.look","verdict":"allow"}"#
        ),
        "{record}"
    );
    assert!(read("t.json").contains("p.yaml:9 (deny *.delete)"));
    let page = read("p.html");
    assert!(
        page.contains("deny by p.yaml:9 (deny *.delete)") && page.contains("allow by p.yaml:3"),
        "{page}"
    );
    // What was recorded can be answered from.
    session()
        .file("r.json", record)
        .run_with(&["--dry-run", "--answers", "r.json", "--quiet"])
        .script("print(type(actions.t.look({})))")
        .exits(0);
}

#[test]
fn an_audit_log_shows_what_was_done_to_it() {
    let session = session().file("p.yaml", POLICY).file(
        "s.lua",
        "actions.t.look({ a = 1 }) pcall(actions.t.delete, {}) actions.t.look({ b = 2 })",
    );
    let words = [
        "run",
        "--policy",
        "p.yaml",
        "--audit",
        "audit.jsonl",
        "s.lua",
    ];
    let run = |words: &[&str]| session.command().args(words).output().expect("it ends");
    for _ in 0..2 {
        assert_eq!(run(&words).status.code(), Some(0));
    }
    let log = session.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        log.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[1]["decision"]["rule"], "deny *.delete");
    assert_eq!(lines[1]["outcome"], "denied");
    assert_eq!(
        (&lines[0]["call"], &lines[2]["outcome"]),
        (&1.into(), &"ok".into())
    );
    assert_eq!(
        (&lines[0]["effects"], &lines[3]["number"]),
        (&"none".into(), &4.into())
    );
    assert_ne!(lines[0]["run"], lines[3]["run"]);
    assert_eq!(lines[0]["params_sha256"].as_str().map(str::len), Some(64));
    let verify = |text: &str| {
        std::fs::write(&log, text).expect("a file");
        let out = run(&["audit", "verify", "audit.jsonl"]);
        let said = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8(said).expect("text"))
    };
    let (code, said) = verify(&text);
    let last = lines[5]["hash"].as_str().expect("a hash");
    assert_eq!(
        (code, said),
        (
            Some(0),
            format!("audit.jsonl: 6 calls, whole; the last hash is {last}\n")
        )
    );
    let parts: Vec<&str> = text.split_inclusive('\n').collect();
    let without = |at: usize| {
        let mut parts = parts.clone();
        parts.remove(at);
        parts.concat()
    };
    for (changed, line) in [
        (text.replacen("denied", "failed", 1), 2),
        (without(0), 1),
        (without(3), 4),
        (
            [&parts[0], &parts[0], &parts[1]].map(|part| *part).concat(),
            2,
        ),
        ([&parts[1], &parts[0]].map(|part| *part).concat(), 1),
        (text.trim_end().to_owned(), 6),
        ("{}\n".to_owned(), 1),
    ] {
        let (code, said) = verify(&changed);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("the audit log breaks at audit.jsonl:{line}: ")),
            "{line}: {said}"
        );
    }
    // A run looks at the last line alone, and goes on behind no other than one of a log.
    std::fs::write(&log, text.replace("denied", "failed")).expect("a file");
    assert_eq!(run(&words).status.code(), Some(0));
    std::fs::write(&log, "{}\n").expect("a file");
    assert_eq!(run(&words).status.code(), Some(3));
}

#[test]
fn no_call_follows_one_that_is_not_in_the_audit_log() {
    let script = "local n = 0
        for i = 1, 20 do
          local ok, e = pcall(actions.t.look, {})
          if not ok then print(e.kind, e.message) break end
          n = n + 1
        end
        print(n > 2 and n < 20)";
    let session = session().file("s.lua", script);
    let words = ["run", "--audit", "audit.jsonl", "s.lua"];
    assert!(session.command().args(words).status().is_ok());
    // A log that has room for a few lines below the size that a file may have.
    const MOST: u64 = 64 << 20;
    let path = session.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).expect("a log");
    let last = text.lines().next_back().expect("a line");
    let log = std::fs::File::create(&path).expect("a file");
    log.write_all_at(format!("\n{last}\n").as_bytes(), MOST - 4096)
        .expect("it is written");
    let inner = session.command();
    let mut command = std::process::Command::new("sh");
    // The signal of a larger file is ignored, so that the write fails.
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 131072; exec \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .args(words)
        .current_dir(session.path());
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let out = command.output().expect("it ends");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        said.starts_with("denied\tdenied: an earlier call is not in the audit log: File too large")
            && said.ends_with("\ntrue\n"),
        "{said} {}",
        String::from_utf8_lossy(&out.stderr)
    );
    // Half a line would end the log for every later run.
    assert_eq!(
        session
            .command()
            .args(words)
            .status()
            .expect("it ends")
            .code(),
        Some(0)
    );
}

#[test]
fn every_refusal_of_the_gate_is_recorded_as_the_decision() {
    let budget =
        "version: 1\ndefault: allow\nbudgets:\n- { actions: t.look, calls: 1, per: run }\n";
    let ran = session()
        .file("p.yaml", budget)
        .run_with(&["--policy", "p.yaml", "--deny", "t.delete", "--json"])
        .script("actions.t.look({}) pcall(actions.t.look, {}) pcall(actions.t.delete, {})");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let decided = |at: usize| {
        let decision = &report["calls"][at]["decision"];
        format!("{} {}", decision["verdict"], decision["rule"])
    };
    assert_eq!(decided(0), r#""allow" "default: allow""#);
    assert_eq!(decided(1), r#""deny" "budget of 1 calls of t.look""#);
    assert_eq!(decided(2), r#""deny" "deny t.delete""#);
}

#[test]
fn a_call_has_its_attempts_in_the_report_and_in_the_log() {
    let session = Kael::new();
    let writable = session.writable("count");
    let flaky = "echo x >> ../count; [ $(wc -l < ../count) -ge 3 ] || exit 3; echo 1";
    let session = session
        .shell(
            "flaky",
            &format!("retry = {{ attempts = 4, backoff = 0.01 }}, {writable}"),
            flaky,
        )
        .shell("kept", "cache = 3600, effects = 'none'", "echo 1")
        .file(
            "s.lua",
            "for _ = 1, 2 do actions.t.kept({}) end actions.t.flaky({})",
        );
    let ran = session
        .words(&["run", "--json", "--audit", "audit.jsonl", "s.lua"])
        .ends();
    ran.exits(0);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    let of_report: Vec<&Value> = report["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| &call["attempts"])
        .collect();
    assert_eq!(of_report, [&json!(1), &json!(0), &json!(3)]);
    let log = std::fs::read_to_string(ran.path().join("audit.jsonl")).expect("a log");
    let of_log: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line")["attempts"].clone())
        .collect();
    assert_eq!(of_log.iter().collect::<Vec<_>>(), of_report);
}
