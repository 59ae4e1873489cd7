//! Copies of the store: made beside a server that works, put back, and nothing of them runs again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::hooks::{hook, send};
use super::retention::on_the_machine;
use super::scripts::printed;
use super::subscriptions::{receive, run_of, sending_to};

const CONFIG: &[&str] = &["--config", "serve.yaml"];

fn db(session: &Kael, words: &[&str]) -> (i32, String, String) {
    on_the_machine(session, &[&["db"], words, CONFIG].concat())
}

/// A server whose action leaves a line for every effect.
fn session() -> Kael {
    let session = Kael::new();
    let (state, fields) = session.state();
    let code = format!("echo x >> '{state}/effects'; sleep 0.02; echo 1");
    let session = session.shell("effect", &fields, &code).file(
        "serve.yaml",
        "slots: 2\ntenants:\n  - { name: default, actions: actions }\n",
    );
    session.write_repo();
    session
}

fn effects(session: &Kael) -> usize {
    let text = fs::read_to_string(session.path().join("state/effects"));
    text.unwrap_or_default().lines().count()
}

const SCRIPT: &str = "actions.t.effect({})";

#[test]
fn a_backup_is_made_under_load_and_nothing_of_it_runs_again() {
    let session = session();
    let server = Server::start_with(&session, CONFIG);
    let token = server.token.clone();
    let before: Vec<_> = (0..40).map(|_| server.submit(SCRIPT)).collect();
    let copied = AtomicBool::new(false);
    // Others submit while the copy is made.
    let beside: Vec<String> = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut runs = Vec::new();
            while !copied.load(Ordering::Relaxed) {
                runs.push(server.submit(SCRIPT));
            }
            runs
        });
        let (code, stdout, stderr) = db(&session, &["backup", "copy.db"]);
        copied.store(true, Ordering::Relaxed);
        assert!(
            code == 0 && stdout.starts_with("copy.db has the store, "),
            "{code} {stderr}"
        );
        load.join().expect("submitted")
    });
    let file = session.path().join("copy.db");
    assert_eq!(
        file.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );
    let (code, _, stderr) = db(&session, &["backup", "copy.db"]);
    assert!(
        code == 2 && stderr.contains("`copy.db` is there already") && stderr.contains("hint: "),
        "{code} {stderr}"
    );
    let (code, _, stderr) = db(&session, &["restore", "copy.db"]);
    assert!(
        code == 3
            && stderr.contains("in use by another process")
            && stderr.contains("hint: end the server"),
        "{code} {stderr}"
    );
    // The days that the backup forgets: everything in it runs.
    for run in before.iter().chain(&beside) {
        assert_eq!(server.ended(run)["state"], "succeeded");
    }
    let seen = effects(&session);
    assert_eq!(seen, before.len() + beside.len());
    server.kill();

    let (code, stdout, stderr) = db(&session, &["restore", "copy.db", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let restored: Value = serde_json::from_str(&stdout).expect("a document");
    assert!(restored["not_begun"].as_u64() > Some(0), "{restored}");
    assert!(restored["tokens"].as_u64() > Some(0), "{restored}");
    let replaced = restored["replaced"].as_str().expect("a file");
    assert!(fs::metadata(replaced).is_ok(), "{replaced}");
    let mut server = Server::spawn(&session, CONFIG);
    server.token = token;
    assert_eq!(
        (&server.started["queued"], &server.started["resumed"]),
        (&json!(0), &json!(0))
    );
    let (mut told, mut parked) = (0, String::new());
    for run in &before {
        let run = server.get(&format!("/v1/runs/{run}")).is(200).json();
        match run["reason"].as_str() {
            Some("restored") => {
                told += 1;
                assert_eq!(run["state"], "parked", "{run}");
                assert!(run["error"]["hint"].is_string(), "{run}");
                parked = run["id"].as_str().expect("an id").to_owned();
            }
            _ => assert_eq!(run["state"], "succeeded", "{run}"),
        }
    }
    assert!(told > 0);
    // Whatever would begin by itself had begun before this one.
    let new = server.submit(SCRIPT);
    assert_eq!(server.ended(&new)["state"], "succeeded");
    assert_eq!(effects(&session), seen + 1);
    // A person knows that it has not run, or that it may run again.
    let path = format!("/v1/runs/{parked}/resume");
    server.post(&path, &json!({})).is(202);
    assert_eq!(server.ended(&parked)["state"], "succeeded");
    assert_eq!(effects(&session), seen + 2);
    let record = server.get("/metrics").is(200).body;
    assert!(
        record.contains("kael_queued_runs{tenant=\"default\"} 0"),
        "{record}"
    );
}

#[test]
fn what_a_backup_had_to_send_is_held_and_a_webhook_of_it_makes_no_second_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let token = server.token.clone();
    let (path, secret) = hook(&server);
    let taken = send(&server, &path, &secret, "d-1", "x").is(202).json();
    printed(&server, taken["run"].as_str().expect("a run"));
    let new = json!({ "name": "chat", "url": url, "events": ["run.finished"] });
    let made = server.post("/v1/subscriptions", &new).is(201).json();
    let before = server.submit("print(1)");
    let first = receive(&listener, "500 Internal Server Error");
    assert_eq!(run_of(&first), before);
    assert_eq!(db(&session, &["backup", "copy.db"]).0, 0);
    assert_eq!(server.terminate(), Some(0));
    let (code, stdout, stderr) = db(&session, &["restore", "copy.db", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let restored: Value = serde_json::from_str(&stdout).expect("a document");
    assert_eq!(
        (&restored["held"], &restored["missed"]),
        (&json!(1), &json!(0))
    );
    let server = Server::restart_with(&session, &token, CONFIG);
    let listed = server.get("/v1/subscriptions").is(200).json();
    let listed = &listed["subscriptions"][0];
    assert_eq!(
        (&listed["held"], &listed["waiting"]),
        (&json!(1), &json!(0)),
        "{listed}"
    );
    let again = send(&server, &path, &secret, "d-1", "x").is(202).json();
    assert_eq!(again["run"], taken["run"]);
    // New events are sent, and the deliveries of the backup are not.
    let run = server.submit("print(2)");
    assert_eq!(run_of(&receive(&listener, "204 No Content")), run);
    let id = made["id"].as_str().expect("an id");
    server
        .post(&format!("/v1/subscriptions/{id}/resume"), &json!({}))
        .is(200);
    let released = receive(&listener, "204 No Content");
    assert_eq!(
        (run_of(&released), released.header("kael-delivery")),
        (before, first.header("kael-delivery"))
    );
}

#[test]
fn the_page_sends_what_a_backup_had_to_send() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let token = server.token.clone();
    let new = json!({ "name": "chat", "url": url, "events": ["run.finished"] });
    let made = server.post("/v1/subscriptions", &new).is(201).json();
    let run = server.submit("print(1)");
    let first = receive(&listener, "500 Internal Server Error");
    assert_eq!(run_of(&first), run);
    assert_eq!(db(&session, &["backup", "copy.db"]).0, 0);
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(db(&session, &["restore", "copy.db"]).0, 0);
    let server = Server::restart_with(&session, &token, CONFIG);
    let browser = super::page::enter(&server, &token);
    let page = browser.get("/webhooks").is(200).body;
    assert!(
        page.contains("1 of a backup are held") && page.contains("aria-label=\"Resume chat\""),
        "{page}"
    );
    let path = format!(
        "/webhooks/subscriptions/{}/resume",
        made["id"].as_str().expect("an id")
    );
    assert_eq!(browser.send(&path, "csrf=wrong").status, 403);
    let sent = browser.send(&path, &format!("csrf={}", browser.csrf()));
    assert_eq!(sent.header("location"), Some("/webhooks"), "{sent:?}");
    let released = receive(&listener, "204 No Content");
    assert_eq!(
        (run_of(&released), released.header("kael-delivery")),
        (run, first.header("kael-delivery"))
    );
    let page = browser.get("/webhooks").is(200).body;
    assert!(!page.contains("Resume chat"), "{page}");
}

#[test]
fn tokens_of_a_backup_can_be_taken_away() {
    let session = session();
    let server = Server::start_with(&session, CONFIG);
    let token = server.token.clone();
    assert_eq!(db(&session, &["backup", "copy.db"]).0, 0);
    assert_eq!(server.terminate(), Some(0));
    let (code, stdout, _) = db(&session, &["restore", "copy.db", "--revoke-tokens"]);
    assert!(
        code == 0 && stdout.contains("no token is valid"),
        "{code} {stdout}"
    );
    let server = Server::start_with(&session, CONFIG);
    server
        .ask("GET", "/v1/me", Some(&token), &Value::Null)
        .is(401);
}

#[test]
fn a_damaged_store_is_told_and_not_put_back() {
    let session = session();
    let server = Server::start_with(&session, CONFIG);
    for n in 0..200 {
        server.submit(&format!("print({n}, '{}')", "x".repeat(500)));
    }
    // Beside the server, too.
    let (code, stdout, _) = db(&session, &["check"]);
    assert!(
        code == 0 && stdout.starts_with("the store is whole: "),
        "{code} {stdout}"
    );
    assert_eq!(db(&session, &["backup", "copy.db"]).0, 0);
    assert_eq!(server.terminate(), Some(0));
    for file in ["copy.db", "data/server/store/serve.db"] {
        let file = session.path().join(file);
        let mut bytes = fs::read(&file).expect("bytes");
        let half = bytes.len() / 2;
        bytes[half..half + 20_000].fill(0xa5);
        fs::write(&file, bytes).expect("written");
    }
    let (code, stdout, _) = db(&session, &["check"]);
    assert!(
        code == 1
            && stdout.starts_with("the store is DAMAGED: ")
            && stdout.contains("hint: stop the server"),
        "{code} {stdout}"
    );
    let (code, _, stderr) = db(&session, &["restore", "copy.db"]);
    assert!(
        code == 3 && stderr.contains("`copy.db` is damaged: "),
        "{code} {stderr}"
    );
    fs::write(session.path().join("text"), "no database").expect("written");
    let (code, _, stderr) = db(&session, &["restore", "text"]);
    assert!(
        code == 3 && stderr.contains("it is no database"),
        "{code} {stderr}"
    );
    let (code, _, stderr) = db(&session, &["check", "--data", "nowhere"]);
    assert!(
        code == 3 && stderr.contains("cannot be opened"),
        "{code} {stderr}"
    );
}
