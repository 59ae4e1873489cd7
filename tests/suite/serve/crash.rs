//! What is left when the server dies, and how it ends when it is asked to.

use kael_tests::Kael;
use serde_json::json;

use super::Server;

#[test]
fn no_acknowledged_run_is_lost_when_the_server_is_killed() {
    let session = Kael::new().shell("wait", "", "sleep 0.2; echo 1");
    let server = Server::start(&session);
    let token = server.token.clone();
    let runs: Vec<_> = (0..40)
        .map(|n| server.submit(&format!("actions.t.wait({{}}) print({n})")))
        .collect();
    server.kill();
    let server = Server::restart(&session, &token);
    assert!(server.started["sign_in"].is_null(), "{}", server.started);
    let (mut succeeded, mut interrupted) = (0, 0);
    for run in &runs {
        let ended = server.ended(run);
        match (ended["state"].as_str(), ended["reason"].as_str()) {
            (Some("succeeded"), _) => succeeded += 1,
            // What was running may have had effects: it is told, and not repeated.
            (Some("failed"), Some("interrupted")) => {
                assert_eq!(ended["exit_code"], 75, "{ended}");
                interrupted += 1;
            }
            _ => panic!("{ended}"),
        }
    }
    assert_eq!(succeeded + interrupted, 40);
    assert!(
        interrupted > 0 && succeeded > 0,
        "{succeeded} {interrupted}"
    );
    assert_eq!(server.started["interrupted"], json!(interrupted));
}

#[test]
fn a_server_that_is_asked_to_end_lets_its_runs_end() {
    let session = Kael::new().shell("wait", "", "sleep 1; echo 1");
    let server = Server::start(&session);
    let token = server.token.clone();
    let run = server.submit("print('before') actions.t.wait({}) print('after')");
    while server.get(&format!("/v1/runs/{run}")).json()["state"] == "queued" {
        std::thread::sleep(std::time::Duration::from_millis(10));
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
fn a_run_that_takes_longer_than_the_drain_is_told_as_interrupted() {
    let session = Kael::new().shell("wait", "", "sleep 600").file(
        "serve.yaml",
        "drain: 200ms\ntenants:\n  - { name: default, actions: actions }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let token = server.token.clone();
    let run = server.submit("actions.t.wait({})");
    while server.get(&format!("/v1/runs/{run}/calls")).json()["calls"]
        .as_array()
        .is_none_or(Vec::is_empty)
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(server.terminate(), Some(0));
    let server = Server::restart(&session, &token);
    let ended = server.ended(&run);
    assert_eq!(ended["reason"], "interrupted", "{ended}");
}

#[test]
fn asked_twice_the_server_ends_its_runs_at_once() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    let run = server.submit("print('begun') sleep(600)");
    while server
        .get(&format!("/v1/runs/{run}/output"))
        .body
        .is_empty()
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server.signal();
    // It drains, and goes on to answer.
    while server.get("/readyz").status == 200 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let asked = std::time::Instant::now();
    assert_eq!(server.terminate(), Some(0));
    // Without the second one it waits 30 s.
    assert!(asked.elapsed() < std::time::Duration::from_secs(25));
    let server = Server::restart(&session, &token);
    assert_eq!(server.ended(&run)["reason"], "interrupted");
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
