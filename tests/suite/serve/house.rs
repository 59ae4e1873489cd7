//! Starting, health, metrics, and the commands of the client.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;

/// Runs a command of the client against a server.
pub(super) fn client(session: &Kael, server: &Server, words: &[&str]) -> (i32, String, String) {
    let output = session
        .command()
        .args(words)
        .env("KAEL_SERVER", format!("http://{}", server.address))
        .env("KAEL_TOKEN", &server.token)
        .output()
        .expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn health_and_metrics() {
    let server = Server::owning(Kael::new());
    let nobody = |path: &str| server.ask("GET", path, None, &Value::Null);
    assert_eq!(nobody("/healthz").is(200).body, "ok\n");
    assert_eq!(nobody("/readyz").is(200).body, "ready\n");
    nobody("/metrics").is(401);
    let run = server.submit("print(1)");
    server.ended(&run);
    let metrics = server.get("/metrics").is(200).body;
    for line in [
        "kael_runs_submitted_total{tenant=\"default\"} 1",
        "kael_runs_total{tenant=\"default\",ending=\"succeeded\"} 1",
        "kael_queue_wait_seconds_count{tenant=\"default\"} 1",
        "kael_slots{state=\"used\"} 0",
        "kael_http_requests_total{route=\"/v1/runs\",code=\"202\"} 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let head = nobody("/healthz").head;
    assert!(
        head.to_lowercase()
            .contains("x-content-type-options: nosniff"),
        "{head}"
    );
}

#[test]
fn a_wrong_configuration_names_the_line() {
    let ran = Kael::new()
        .file("serve.yaml", "slots: 5\nlissten: x\n")
        .words(&["serve", "--config", "serve.yaml", "--check"])
        .ends();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr
            .starts_with("Error: serve.yaml:2: unknown key `lissten` (did you mean `listen`?)\n"),
        "{}",
        ran.stderr
    );
    let ran = Kael::new()
        .file("serve.yaml", "slots: 5\n")
        .words(&["serve", "--config", "serve.yaml", "--check"])
        .ends();
    assert_eq!(ran.exits(0).stdout, "the configuration is right\n");
    let ran = Kael::new()
        .words(&["serve", "--config", "gone.yaml"])
        .ends();
    assert_eq!(ran.code, 3);
}

#[test]
fn a_script_is_submitted_and_followed_from_the_command_line() {
    let session = Kael::new()
        .file("ok.lua", "print('hello', ...)\n")
        .file("bad.lua", "print('before')\nerror('no luck')\n")
        .file("syntax.lua", "x = = 1\n");
    let server = Server::start(&session);
    let (code, stdout, stderr) = client(&session, &server, &["submit", "-f", "ok.lua", "a", "-b"]);
    assert_eq!((code, stdout.as_str()), (0, "hello\ta\t-b\n"), "{stderr}");
    let (code, stdout, stderr) = client(&session, &server, &["submit", "-f", "bad.lua"]);
    assert_eq!((code, stdout.as_str()), (1, "before\n"), "{stderr}");
    assert!(
        stderr.starts_with("Error: bad.lua:2: no luck\n"),
        "{stderr}"
    );
    let (code, _, stderr) = client(&session, &server, &["submit", "syntax.lua"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.starts_with("Error: syntax.lua:1:"), "{stderr}");
    let (code, stdout, _) = client(
        &session,
        &server,
        &["submit", "--json", "--label", "a=b", "ok.lua"],
    );
    let run: Value = serde_json::from_str(&stdout).expect("a run");
    assert_eq!((code, &run["labels"]), (0, &json!({ "a": "b" })));
    let id = run["id"].as_str().expect("an id").to_owned();
    server.ended(&id);
    assert_eq!(client(&session, &server, &["logs", &id]).1, "hello\n");
    assert_eq!(client(&session, &server, &["logs", "-f", &id]).1, "hello\n");
    let (code, stdout, _) = client(&session, &server, &["show", &id]);
    assert!(
        code == 0 && stdout.contains("state       succeeded\n"),
        "{stdout}"
    );
    let (code, stdout, _) = client(&session, &server, &["ps", "--state", "failed"]);
    assert!(
        code == 0 && stdout.lines().count() == 2 && stdout.contains("failed (script)"),
        "{stdout}"
    );
    let (code, stdout, _) = client(&session, &server, &["ps", "--json", "-n", "2"]);
    let runs: Value = serde_json::from_str(&stdout).expect("runs");
    assert_eq!((code, runs["runs"].as_array().map(Vec::len)), (0, Some(2)));
    let (code, _, stderr) = client(&session, &server, &["cancel", &id]);
    assert!(
        code == 2 && stderr.contains("the run is over"),
        "{code} {stderr}"
    );
}

#[test]
fn tokens_and_tenants_from_the_command_line() {
    let session = Kael::new();
    let server = Server::start(&session);
    let ask = |words: &[&str]| client(&session, &server, words);
    assert_eq!(ask(&["tenant", "set", "acme", "--weight", "3"]).0, 0);
    let (code, stdout, _) = ask(&["tenant", "ls"]);
    assert!(
        code == 0
            && stdout
                .lines()
                .any(|line| line.starts_with("acme ") && line.contains(" 3 ")),
        "{stdout}"
    );
    assert_eq!(ask(&["tenant", "top", "--json"]).0, 0);
    let (code, secret, _) = ask(&[
        "token",
        "create",
        "ci",
        "--role",
        "viewer",
        "--tenant",
        "acme",
        "--expires",
        "90d",
    ]);
    assert_eq!(code, 0);
    let me = server
        .ask("GET", "/v1/me", Some(secret.trim()), &Value::Null)
        .is(200)
        .json();
    assert_eq!(
        (&me["tenant"], &me["role"]),
        (&json!("acme"), &json!("viewer"))
    );
    let (_, stdout, _) = ask(&["token", "ls", "--tenant", "acme", "--json"]);
    let tokens: Value = serde_json::from_str(&stdout).expect("tokens");
    let ci = tokens["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .find(|token| token["name"] == "ci");
    let id = ci.expect("it")["id"].as_str().expect("an id").to_owned();
    assert_eq!(ask(&["token", "rm", &id, "--tenant", "acme"]).0, 0);
    server
        .ask("GET", "/v1/me", Some(secret.trim()), &Value::Null)
        .is(401);
    let (code, _, stderr) = ask(&["token", "create", "x", "--role", "king"]);
    assert!(
        code == 2 && stderr.contains("`king` is no role"),
        "{stderr}"
    );
}

#[test]
fn a_login_is_kept_in_a_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let session = Kael::new().file("ok.lua", "print('hello')\n");
    let server = Server::start(&session);
    let made = server.post("/v1/sign-ins", &json!({})).is(201).json();
    let link = made["url"].as_str().expect("a link");
    let login = session
        .command()
        .args(["login", link])
        .output()
        .expect("it ends");
    let stdout = String::from_utf8_lossy(&login.stdout);
    assert!(
        login.status.success() && stdout.contains("(operator for all tenants)"),
        "{login:?}"
    );
    let file = session.path().join("config/kael/server.json");
    assert_eq!(
        std::fs::metadata(&file)
            .expect("a file")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let submitted = session
        .command()
        .args(["submit", "-f", "ok.lua"])
        .output()
        .expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&submitted.stdout),
        "hello\n",
        "{submitted:?}"
    );
    // The kept token goes to no other server.
    let other = Server::owning(Kael::new());
    let refused = session
        .command()
        .args(["ps", "--server", &format!("http://{}", other.address)])
        .output()
        .expect("it ends");
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let ran = Kael::new()
        .words(&["ps", "--server", "http://127.0.0.1:1"])
        .ends();
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    let ran = Kael::new().words(&["ps"]).ends();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = Kael::new().words(&["ps", "--server", "ftp://x"]).ends();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
