//! The commands of the client for stored scripts, schedules and webhooks.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::house::client;

#[test]
fn scripts_schedules_and_webhooks_from_the_command_line() {
    let session = Kael::new()
        .file("a.lua", "print('hello', ...)\n")
        .file("b.lua", "print('again', ...)\n")
        .file("bad.lua", "x = = 1\n");
    let server = Server::start(&session);
    let ask = |words: &[&str]| client(&session, &server, words);
    let says = |words: &[&str], text: &str| {
        let (code, stdout, stderr) = ask(words);
        assert_eq!((code, stdout.as_str()), (0, text), "{stderr}");
    };
    says(&["script", "put", "a", "a.lua"], "a@1\n");
    says(
        &["script", "put", "a", "b.lua", "--if-version", "1"],
        "a@2\n",
    );
    let (code, _, stderr) = ask(&["script", "put", "a", "a.lua", "--if-version", "1"]);
    assert!(
        code == 2 && stderr.contains("the current version is 2"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = ask(&["script", "put", "bad", "bad.lua"]);
    assert!(
        code == 1 && stderr.starts_with("Error: bad:1:"),
        "{code} {stderr}"
    );
    says(&["script", "show", "a@1"], "print('hello', ...)\n");
    says(
        &["submit", "-f", "--stored", "a", "x", "-y"],
        "again\tx\t-y\n",
    );
    says(&["submit", "-f", "--stored", "a@1"], "hello\n");
    let (code, _, stderr) = ask(&["submit", "--stored", "gone"]);
    assert!(
        code == 2 && stderr.contains("there is no stored script `gone`"),
        "{code} {stderr}"
    );
    let (_, stdout, _) = ask(&["script", "ls", "--json"]);
    let scripts: Value = serde_json::from_str(&stdout).expect("scripts");
    assert_eq!(scripts["scripts"][0]["version"], 2, "{scripts}");

    let (code, stdout, stderr) = ask(&[
        "schedule",
        "set",
        "nightly",
        "30 4 * * 1-5",
        "a@1",
        "--zone",
        "Europe/Berlin",
        "--overlap",
        "queue",
        "--label",
        "team=web",
        "--",
        "-z",
    ]);
    assert!(
        code == 0 && stdout.lines().count() == 10,
        "{stdout} {stderr}"
    );
    let (_, stdout, _) = ask(&["schedule", "ls"]);
    assert!(
        stdout.starts_with("nightly ") && stdout.contains("Europe/Berlin"),
        "{stdout}"
    );
    let (_, stdout, _) = ask(&["schedule", "pause", "nightly", "--json"]);
    let schedule: Value = serde_json::from_str(&stdout).expect("a schedule");
    assert_eq!(
        (&schedule["paused"], &schedule["plan"]["args"]),
        (&json!(true), &json!(["-z"]))
    );
    assert_eq!(
        ask(&["schedule", "resume", "nightly"]).1.lines().count(),
        10
    );
    let (_, run, _) = ask(&["schedule", "run", "nightly"]);
    says(&["logs", "-f", run.trim()], "hello\t-z\n");
    let (code, _, stderr) = ask(&["schedule", "set", "x", "61 * * * *", "a"]);
    assert!(
        code == 2 && stderr.contains("is no pattern"),
        "{code} {stderr}"
    );
    says(&["schedule", "rm", "nightly"], "");

    let (_, stdout, _) = ask(&["hook", "create", "deploys", "a"]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].contains("/v1/hooks/in/")
            && lines[1].starts_with("kael_hook_"),
        "{stdout}"
    );
    let (_, stdout, _) = ask(&["hook", "ls"]);
    let id = stdout.split_whitespace().next().expect("an id").to_owned();
    assert!(
        lines[0].ends_with(&id) && stdout.contains("never used"),
        "{stdout}"
    );
    says(&["hook", "rm", &id], "");
    says(&["script", "rm", "a"], "");
    assert_eq!(ask(&["script", "show", "a"]).0, 2);
}
