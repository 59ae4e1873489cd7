//! What is left when the server dies, and how it ends when it is asked to.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::json;

use super::noting::Noting;
use super::{PATIENCE, Server};

#[test]
fn no_acknowledged_run_is_lost_when_the_server_is_killed() {
    let noting = Noting::new("effects = 'none'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let script = |n| format!("print('a') actions.t.note({{ mode = 'wait' }}) print({n})");
    let runs: Vec<_> = (0..40).map(|n| server.submit(&script(n))).collect();
    // Some run, and some wait for their turn: none may end before the file is there.
    noting.wait_for_notes(1);
    server.kill();
    noting.go();
    let server = Server::restart(&noting.kael, &token);
    assert!(server.started["sign_in"].is_null(), "{}", server.started);
    for (n, run) in runs.iter().enumerate() {
        let ended = server.ended(run);
        assert_eq!(ended["state"], "succeeded", "{ended}");
        let output = server.get(&format!("/v1/runs/{run}/output")).body;
        assert_eq!(output, format!("a\n{n}\n"));
    }
    let resumed = server.started["resumed"].as_u64();
    assert!(
        resumed.is_some_and(|count| (1..40).contains(&count)),
        "{}",
        server.started
    );
}

#[test]
fn a_run_with_which_the_server_always_dies_is_parked() {
    let session = Kael::new().shell("wait", "effects = 'none'", "sleep 600");
    let mut server = Server::start(&session);
    let token = server.token.clone();
    let run = server.submit("print('a') actions.t.wait({})");
    for _ in 0..4 {
        while server.get(&format!("/v1/runs/{run}")).json()["state"] != "running" {
            std::thread::sleep(Duration::from_millis(10));
        }
        server.kill();
        server = Server::restart(&session, &token);
    }
    let parked = server.get(&format!("/v1/runs/{run}")).json();
    assert_eq!(
        (&parked["state"], &parked["reason"]),
        (&json!("parked"), &json!("poison")),
        "{parked}"
    );
    // A person may try it once more.
    server
        .post(&format!("/v1/runs/{run}/resume"), &json!({}))
        .is(202);
    while server.get(&format!("/v1/runs/{run}")).json()["state"] != "running" {
        std::thread::sleep(Duration::from_millis(10));
    }
    server
        .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
        .is(202);
    assert_eq!(server.ended(&run)["state"], "cancelled");
}

/// What an action does that does not end when it is asked to. So its run is not over when the server dies.
const DEAF: &str = "trap '' TERM; echo begun >> STATE/begun\n\
                    while [ ! -e STATE/go ]; do sleep 0.02; done; echo 1";

#[test]
fn a_run_that_was_cancelled_stays_so_when_the_server_is_killed() {
    let kael = Kael::new();
    let (state, writable) = kael.state();
    let fields = format!("{writable}, effects = 'none'");
    let kael = kael.shell("deaf", &fields, &DEAF.replace("STATE", &state));
    let server = Server::start(&kael);
    let token = server.token.clone();
    let calls: Vec<_> = (0..4)
        .map(|_| server.submit("actions.t.deaf({})"))
        .collect();
    // One that waits for a run that it has started, which is cancelled with it.
    let parent = server.submit("print(runs.start { script = 'actions.t.deaf({})', wait = true })");
    let begun = || std::fs::read_to_string(format!("{state}/begun")).unwrap_or_default();
    let late = Instant::now() + PATIENCE;
    while begun().lines().count() < calls.len() + 1 {
        assert!(Instant::now() < late, "{}", begun());
        std::thread::sleep(Duration::from_millis(5));
    }
    server.until(&parent, "waiting");
    let all = server.get("/v1/runs").is(200).json();
    let all = all["runs"].as_array().expect("runs");
    let child = all.iter().find(|run| run["origin"] == "run");
    let child = child.expect("a run that was started")["id"].clone();
    // At the same time: the last of them are not over when the server dies.
    std::thread::scope(|scope| {
        for run in calls.iter().chain([&parent]) {
            let path = format!("/v1/runs/{run}/cancel");
            let server = &server;
            scope.spawn(move || server.post(&path, &json!({ "mode": "now" })).is(202));
        }
    });
    server.kill();
    // What is begun again ends.
    std::fs::write(format!("{state}/go"), "").expect("a file");
    let server = Server::restart(&kael, &token);
    let child = child.as_str().expect("an id").to_owned();
    for run in calls.iter().chain([&parent, &child]) {
        let ended = server.ended(run);
        assert_eq!(ended["state"], "cancelled", "{ended}");
    }
    assert_eq!(begun().lines().count(), calls.len() + 1);
}

/// Who is told to end cleans up, in the next life of the server if there was no time in this one.
#[test]
fn a_run_that_was_told_to_end_does_when_the_server_is_killed() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    let script = "local ended <close> = setmetatable({}, { __close = function() sleep(0.2) end }) wait_for('never')";
    let runs: Vec<_> = (0..10).map(|_| server.submit(script)).collect();
    let late = Instant::now() + PATIENCE;
    for run in &runs {
        while server.get(&format!("/v1/runs/{run}")).json()["state"] == "queued" {
            assert!(Instant::now() < late, "{run}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for run in &runs {
        let path = format!("/v1/runs/{run}/cancel");
        server.post(&path, &json!({})).is(202);
    }
    server.kill();
    let server = Server::restart(&session, &token);
    for run in &runs {
        let ended = server.ended(run);
        assert_eq!(ended["state"], "cancelled", "{ended}");
    }
}

#[test]
fn a_server_that_is_asked_to_end_lets_its_runs_end() {
    let session = Kael::new().shell("wait", "", "sleep 1; echo 1");
    let server = Server::start(&session);
    let token = server.token.clone();
    let run = server.submit("print('before') actions.t.wait({}) print('after')");
    while server.get(&format!("/v1/runs/{run}")).json()["state"] == "queued" {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.terminate(), Some(0));
    let server = Server::restart(&session, &token);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(
        server.get(&format!("/v1/runs/{run}/output")).body,
        "before\nafter\n"
    );
}

#[test]
fn a_run_that_takes_longer_than_the_drain_goes_on_when_the_server_is_back() {
    let session = Kael::new();
    let (state, writable) = session.state();
    let code = format!("[ -e {state}/second ] || {{ touch {state}/second; sleep 600; }}; echo 5");
    let fields = format!("{writable}, effects = 'idempotent'");
    let session = session.shell("wait", &fields, &code).file(
        "serve.yaml",
        "drain: 200ms\ntenants:\n  - { name: default, actions: actions }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let token = server.token.clone();
    let run = server.submit("print('a') print(actions.t.wait({}))");
    while !std::path::Path::new(&state).join("second").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.terminate(), Some(0));
    let server = Server::restart(&session, &token);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.get(&format!("/v1/runs/{run}/output")).body, "a\n5\n");
}

#[test]
fn asked_twice_the_server_stops_its_runs_at_once() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    // Not far off, so that it is waited for.
    let run = server.submit("print('begun') for _ = 1, 100 do sleep(9) end");
    while server
        .get(&format!("/v1/runs/{run}/output"))
        .body
        .is_empty()
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    server.signal();
    // It drains, and goes on to answer.
    while server.get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    // Without the second one it waits 30 s.
    assert!(asked.elapsed() < Duration::from_secs(25));
    let server = Server::restart(&session, &token);
    assert_eq!(server.started["queued"], 1, "{}", server.started);
    server
        .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
        .is(202);
    assert_eq!(server.ended(&run)["state"], "cancelled");
}

#[test]
fn a_server_waits_a_moment_for_what_a_killed_one_has_started() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    server.kill();
    // What the server had started may still have its descriptors.
    let mut holds = Command::new("flock")
        .arg(session.path().join("data/server/store/serve.db.lock"))
        .args(["sh", "-c", "echo held; sleep 0.5"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock starts");
    let mut line = String::new();
    BufReader::new(holds.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    assert_eq!(line, "held\n");
    let server = Server::restart(&session, &token);
    server.get("/readyz").is(200);
    holds.wait().expect("it ends");
}

#[test]
fn a_second_server_is_refused() {
    let session = Kael::new();
    let _server = Server::start(&session);
    let second = session
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .expect("it ends");
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("in use by another process") && stderr.contains("hint: "),
        "{stderr}"
    );
}
