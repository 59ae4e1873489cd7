//! Results that are reused, and failed calls that are tried again.

use kael_tests::Kael;

/// Counts its runs in a file, and answers with the count.
const COUNT: &str = "echo x >> ../count; echo $(($(wc -l < ../count)))";

/// A session, and the field that lets its action write the count.
struct Session(Kael, String);

impl Session {
    fn new(fields: &str) -> Self {
        let session = Kael::new().program("impl/a.sh", &format!("#!/bin/sh\n{COUNT}\n"));
        let writable = session.writable("count");
        Self(session, writable).define(fields)
    }

    fn define(self, fields: &str) -> Self {
        let writable = &self.1;
        let text = format!(
            "return {{ a = define_action({{ source = '../impl', entrypoint = 'a.sh', executor = 'native', {writable}, {fields} }}) }}"
        );
        Self(self.0.file("actions/init.lua", text), self.1)
    }

    fn run(&self, options: &[&str], call: &str, variable: &str) -> String {
        let output = self
            .0
            .command()
            .env("TOKEN", variable)
            .args(["--actions", "actions", "run"])
            .args(options)
            .args(["-e", &format!("print(actions.a({call}))")])
            .output()
            .expect("the host starts");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn cache(&self, words: &[&str]) -> String {
        let output = self.0.command().arg("cache").args(words).output();
        String::from_utf8_lossy(&output.expect("the host starts").stdout).into_owned()
    }
}

#[test]
fn a_result_is_reused_until_one_of_its_inputs_changes() {
    let session = Session::new("cache = 300, env = { 'TOKEN' }");
    let run = |call: &str| session.run(&[], call, "t");
    assert_eq!(
        (run("{ q = 1 }").as_str(), run("{ q = 1 }").as_str()),
        ("1", "1")
    );
    assert_eq!(run("{ q = 2 }"), "2");
    assert_eq!(session.run(&[], "{ q = 1 }", "other"), "3");
    assert_eq!(session.run(&["--no-cache"], "{ q = 1 }", "t"), "4");
    assert_eq!(run("{ q = 1 }"), "1");
    assert_eq!(session.run(&["--refresh"], "{ q = 1 }", "t"), "5");
    assert_eq!(run("{ q = 1 }"), "5");
    // A changed definition, and then a changed source.
    let session = session.define("cache = 300, env = { 'TOKEN' }, timeout = 7");
    let run = |call: &str| session.run(&[], call, "t");
    assert_eq!(
        (run("{ q = 1 }").as_str(), run("{ q = 1 }").as_str()),
        ("6", "6")
    );
    let session = Session(session.0.file("impl/lib.txt", "new"), session.1);
    assert_eq!(session.run(&[], "{ q = 1 }", "t"), "7");
    let listed = session.cache(&["ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["entries"].as_array().expect("a list").len(), 5);
    assert_eq!(listed["entries"][0]["action"], "a");
    assert!(session.cache(&["ls"]).starts_with("a  "));
    assert_eq!(session.cache(&["clear", "b"]), "cleared: 0\n");
    assert_eq!(session.cache(&["clear"]), "cleared: 5\n");
    assert_eq!(session.cache(&["ls"]), "no kept results\n");
    assert_eq!(session.run(&[], "{ q = 1 }", "t"), "8");
}

#[test]
fn nothing_is_kept_in_the_open_and_no_secret_at_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let session = Session::new("cache = 300, env = { 'TOKEN' }");
    session.run(&[], "{}", "s3cr3t-value");
    let cache = session.0.path().join("data/cache");
    let mut folders = vec![cache];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            files += 1;
            let content = std::fs::read(entry.path()).expect("a file");
            assert!(!String::from_utf8_lossy(&content).contains("s3cr3t"));
        }
    }
    assert!(files >= 2);
}

#[test]
fn a_failure_is_never_kept() {
    let code = "echo x >> ../count; [ $(wc -l < ../count) -gt 1 ] || exit 3; echo 5";
    let session = Kael::new();
    let writable = session.writable("count");
    session
        .shell("a", &format!("cache = 300, {writable}"), code)
        .script("print(pcall(actions.t.a, {})) print(actions.t.a({}), actions.t.a({})) local f = actions.t.a({})")
        .prints("false\tt.a failed: exited with status 3\n5\t5\n");
    let session = Kael::new();
    let writable = session.writable("count");
    let ran = session
        .shell(
            "a",
            &format!("cache = 300, returns = 'string', {writable}"),
            COUNT,
        )
        .script("for _ = 1, 2 do local _, e = pcall(actions.t.a, {}) print(e.kind) end");
    ran.prints("bad_output\nbad_output\n");
    assert_eq!(
        std::fs::read_to_string(ran.path().join("count"))
            .expect("a file")
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_flaky_action_is_tried_again() {
    let flaky = |fields: &str, good_from: u32| {
        let code = format!(
            "echo x >> ../count; n=$(wc -l < ../count); [ $n -ge {good_from} ] || {{ echo no $n >&2; exit 3; }}; echo $n"
        );
        let session = Kael::new();
        let writable = session.writable("count");
        session
            .shell("a", &format!("{fields}, {writable}"), &code)
            .script("local ok, r = pcall(actions.t.a, {}) print(ok, ok and r or r.message)")
    };
    flaky("retry = { attempts = 3, backoff = '10ms' }", 3).prints("true\t3\n");
    flaky("retry = { attempts = 2, backoff = 0.01 }", 3).prints("false\tno 2\n");
    flaky("retry = { backoff = '10ms', on = { 'timeout' } }", 2).prints("false\tno 1\n");
    Kael::new()
        .shell("a", "retry = { attempt = 3 }", "echo 1")
        .script("")
        .fails(3, "Error: actions/init.lua:2: define_action: field 'retry' has no field `attempt` (did you mean `attempts`?)\n");
}

#[test]
fn a_wait_between_attempts_ends_with_the_run() {
    let ran = Kael::new()
        .shell("a", "retry = { attempts = 3, backoff = '200s' }", "exit 3")
        .run_with(&["--timeout", "1s"])
        .script("actions.t.a({})");
    ran.exits(5)
        .says("Error: the run took longer than the 1s it may take");
}
