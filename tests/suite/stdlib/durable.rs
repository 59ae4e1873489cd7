//! The host's actions in runs that are written down.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::Value;

use super::server::{Server, answer};

fn session(port: u16, script: &str) -> Kael {
    let kael = Kael::new();
    let here = kael.path().display().to_string();
    let grants = format!(
        "version: 1\ngrants:\n  http: [{{ to: \"127.0.0.1:{port}\" }}]\n  fs: [{{ path: {here}/files, as: /data, mode: read-write }}]\n"
    );
    let script = script.replace("URL", &format!("http://127.0.0.1:{port}"));
    kael.file("p.yaml", grants)
        .file("files/x", "a")
        .file("script.lua", script)
        .env("KAEL_POLICY", "p.yaml")
}

fn kael(session: &Kael, words: &[&str]) -> (i32, String, String) {
    let output = session.command().args(words).output();
    let output = output.expect("the host starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

/// The one run.
fn id(session: &Kael) -> String {
    let (_, listed, _) = kael(session, &["runs", "ls", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed["runs"][0]["run"]
        .as_str()
        .expect("a text")
        .to_owned()
}

#[test]
fn a_replay_sends_and_writes_nothing_again() {
    let server = Server::start(|got| answer(200, "", got.method.clone()));
    let session = session(
        server.port,
        "print(http.get('URL/').body, http.post('URL/', 'x').body)
         fs.append('/data/x', 'b') print(fs.read('/data/x'))
         print(parallel(function() return http.get('URL/1').body end, function() return http.get('URL/2').body end))
         print(pcall(http.get, 'http://other.example/'))",
    );
    let (code, output, stderr) = kael(&session, &["run", "--journal", "script.lua"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(output.starts_with("GET\tPOST\nab\n"), "{output}");
    assert_eq!(server.got().len(), 4);
    let id = id(&session);
    let (code, again, stderr) = kael(&session, &["runs", "replay", &id]);
    assert_eq!((code, again), (0, output), "{stderr}");
    assert_eq!(server.got().len(), 4);
    let file = std::fs::read_to_string(session.path().join("files/x"));
    assert_eq!(file.expect("a file"), "ab");
}

#[test]
fn events_are_replayed_without_their_server() {
    let server = Server::start(|_| {
        let kind = "Content-Type: text/event-stream\r\n";
        answer(200, kind, "data: one\n\ndata: two\n\n")
    });
    let session = session(
        server.port,
        "http.get('URL/', { on_event = function(event) print(event.data) end })
         print(http.download('URL/', '/data/kept'), fs.read('/data/kept'):sub(1, 9))",
    );
    let (code, output, stderr) = kael(&session, &["run", "--journal", "script.lua"]);
    assert_eq!(
        (code, output.as_str()),
        (0, "one\ntwo\n22\tdata: one\n"),
        "{stderr}"
    );
    let id = id(&session);
    std::fs::write(session.path().join("files/kept"), "changed").expect("a file");
    let (code, again, stderr) = kael(&session, &["runs", "replay", &id]);
    assert_eq!((code, again), (0, output), "{stderr}");
    assert_eq!(server.got().len(), 2);
    let file = std::fs::read_to_string(session.path().join("files/kept"));
    assert_eq!(file.expect("a file"), "changed");
}

#[test]
fn a_request_counts_in_a_budget_although_its_redirect_is_not_granted() {
    let server = Server::start(|_| answer(307, "Location: http://other.example/\r\n", ""));
    let session = session(
        server.port,
        "for i = 1, 3 do print(i, pcall(http.post, 'URL/', 'x')) end",
    );
    let policy = std::fs::read_to_string(session.path().join("p.yaml")).expect("a file");
    let budget = "budgets: [{ actions: kael.http.post, calls: 2, per: run }]\n";
    std::fs::write(session.path().join("p.yaml"), policy + budget).expect("a file");
    let words = ["run", "--journal", "--max-calls", "1", "script.lua"];
    let (code, _, stderr) = kael(&session, &words);
    assert_eq!(code, 5, "{stderr}");
    let id = id(&session);
    let (code, output, stderr) = kael(&session, &["runs", "resume", &id, "--max-calls", "9"]);
    assert_eq!(code, 0, "{stderr}");
    // The first request was sent before the run went on, so one more is.
    assert_eq!(server.got().len(), 2, "{output}");
    assert!(
        output.contains("the budget of the run is spent"),
        "{output}"
    );
}

#[test]
fn a_request_that_must_not_repeat_is_in_doubt() {
    let asked = Arc::new(AtomicU32::new(0));
    let seen = asked.clone();
    let server = Server::start(move |got| {
        if got.method == "POST" {
            seen.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_secs(60));
        }
        answer(200, "", "ok")
    });
    let session = session(
        server.port,
        "print(http.get('URL/').body) print(http.post('URL/', 'x').body)",
    );
    let mut command = session.command();
    command.args(["run", "--journal", "script.lua"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut host = command.spawn().expect("the host starts");
    let late = Instant::now() + Duration::from_secs(60);
    while asked.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < late, "no request came");
        std::thread::sleep(Duration::from_millis(5));
    }
    host.kill().expect("killed");
    host.wait().expect("it ends");
    let id = id(&session);
    let (code, _, stderr) = kael(&session, &["runs", "resume", &id]);
    assert_eq!(code, 7, "{stderr}");
    assert!(
        stderr.contains("call 2 of kael.http.post was begun, and it is unknown"),
        "{stderr}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
