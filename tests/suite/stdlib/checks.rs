//! `kael-host run checks.yaml`.

use kael_tests::Kael;
use serde_json::Value;

use super::server::{Server, answer};
use super::with_port;

fn server() -> Server {
    Server::start(|got| match got.target.as_str() {
        "/ok" => answer(200, "X-A: b\r\n", r#"{"database":"ok","n":[1]}"#),
        "/api/v1/query?query=count%28up%29" => answer(
            200,
            "",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"3"]}]}}"#,
        ),
        _ => answer(503, "", "down"),
    })
}

fn run(text: &str) -> (kael_tests::Ran, Value) {
    let server = server();
    let url = format!("http://127.0.0.1:{}", server.port);
    let ran = with_port(server.port)
        .file("checks/c.yaml", text.replace("URL", &url))
        .file("checks/s.lua", "assert.eq(env.get('A'), 'b')")
        .file("checks/bad.lua", "error('broken', 0)")
        .words(&["checks/c.yaml"])
        .ends();
    let report = serde_json::from_str(&ran.stdout).unwrap_or_default();
    (ran, report)
}

#[test]
fn checks_that_pass_end_with_0() {
    let (ran, report) = run("parallel: true
checks:
  - { name: plain, type: http, url: URL/ok }
  - { name: all, type: http, url: URL/ok, expect: { status: 200, body: database, json: [.database == ok, '.n | length == 1'], headers: { X-A: b }, latency: 60s } }
  - { name: down, type: http, url: URL/down, expect: { status: 503 } }
  - { name: query, type: prometheus, url: URL, query: count(up), expect: { min: 1, max: 3 } }
  - { name: script, type: script, file: s.lua, env: { A: b } }
");
    assert_eq!(ran.stderr, "");
    ran.exits(0);
    assert_eq!(report["passed"], true);
    let checks = report["checks"].as_array().expect("checks");
    assert_eq!(checks.len(), 5);
    assert!(
        checks
            .iter()
            .all(|check| check["passed"] == true && check["attempts"] == 1)
    );
}

#[test]
fn checks_that_fail_say_why_and_are_tried_again() {
    let (ran, report) = run("retries: 1
backoff: 10ms
checks:
  - { name: status, type: http, url: URL/down }
  - { name: json, type: http, url: URL/ok, expect: { json: .database == down } }
  - { name: query, type: prometheus, url: URL, query: count(up), expect: { min: 4 } }
  - { name: script, type: script, file: bad.lua, retries: 0 }
  - { name: refused, type: http, url: \"http://other.example/\" }
");
    ran.exits(1);
    let told: Vec<(&str, u64)> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| {
            (
                check["message"].as_str().unwrap_or(""),
                check["attempts"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    assert_eq!(told[0], ("expected 2xx, got 503", 2));
    assert_eq!(told[1], ("JSON expression failed: .database == down", 2));
    assert_eq!(told[2], ("expected at least 4, got 3", 2));
    assert_eq!(told[3], ("broken", 1));
    assert!(
        told[4].0.contains("is not granted by p.yaml") && told[4].1 == 1,
        "{told:?}"
    );
}

#[test]
fn a_file_that_is_wrong_is_told_before_anything_runs() {
    for (text, message) in [
        (
            "checks: []",
            "Error: checks/c.yaml: `checks` must be a list of checks",
        ),
        (
            "checks: [{ type: http }]",
            "Error: checks/c.yaml: check 1 needs a `name`",
        ),
        (
            "checks: [{ name: a, type: tcp }]",
            "Error: checks/c.yaml: check 1: `type` must be http, prometheus or script",
        ),
        (
            "checks: [{ name: a, type: http }]",
            "Error: checks/c.yaml: check 1 (a) needs `url`",
        ),
        (
            "timeot: 1s",
            "Error: checks/c.yaml: the file has no key `timeot` (there are: timeout retries backoff parallel checks)",
        ),
        (
            "timeout: soon\nchecks: [{ name: a, type: http, url: x }]",
            "Error: checks/c.yaml: `timeout` must be a time such as 500ms, 30s or 5m",
        ),
    ] {
        run(text).0.fails_with(1, message);
    }
    let (ran, report) = run("timeout: 100ms\nchecks: [{ name: a, type: http, url: URL/down }]");
    ran.exits(1);
    assert_eq!(
        report["checks"][0]["message"],
        "global timeout of 0.1s exceeded"
    );
    Kael::new().words(&["run", "none.yaml"]).ends().exits(2);
}
