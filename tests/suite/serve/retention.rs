//! What is old goes, what a tenant may have in the store is bounded, and both are told.

use std::fs;
use std::time::Duration;

use kael_tests::Kael;
use serde_json::json;

use super::Server;
use super::house::client;

/// A command on the server's own files: its exit code, stdout and stderr.
pub(super) fn on_the_machine(session: &Kael, words: &[&str]) -> (i32, String, String) {
    let output = session.command().args(words).output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    (code, text(&output.stdout), text(&output.stderr))
}

const CONFIG: &[&str] = &["--config", "serve.yaml"];
const PRUNE: &[&str] = &["db", "prune", "--config", "serve.yaml"];

fn settings(session: &Kael, keep: &str) {
    let text = format!("tenants:\n  - {{ name: default, {keep} }}\n");
    fs::write(session.path().join("serve.yaml"), text).expect("a file");
}

#[test]
fn a_run_loses_its_output_first_and_is_gone_later() {
    let session = Kael::new();
    settings(&session, "keep_runs: 30d");
    let server = Server::start_with(&session, CONFIG);
    let token = server.token.clone();
    let script = "print('hello') return 5";
    let run = server.submit(script);
    server.ended(&run);
    let later = server.post(
        "/v1/runs",
        &json!({ "script": "print(1)", "start_at": "2999-01-01T00:00:00Z", "deadline": "2999-01-02T00:00:00Z" }),
    );
    let later = later.is(202).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (code, _, stderr) = on_the_machine(&session, PRUNE);
    assert!(
        code == 3
            && stderr.contains("in use by another process")
            && stderr.contains("hint: end the server"),
        "{code} {stderr}"
    );
    assert_eq!(server.terminate(), Some(0));
    settings(&session, "keep_output: 1ms");
    let mut server = Server::spawn(&session, CONFIG);
    server.token.clone_from(&token);
    // A task of the server does it soon after its start.
    while server.get(&format!("/v1/runs/{run}/output")).status == 200 {
        std::thread::sleep(Duration::from_millis(20));
    }
    for part in ["output", "calls", "result", "events?wait=1s"] {
        let gone = server.get(&format!("/v1/runs/{run}/{part}")).is(410).json();
        assert_eq!(gone["type"], "urn:kael:gone", "{gone}");
        assert_eq!(
            gone["detail"],
            "the output, the calls and the result of the run were removed: the tenant keeps them for 1ms"
        );
        assert!(gone["hint"].is_string(), "{gone}");
    }
    // Its journal is gone with them: what counts are the two scripts, and that the other run is queued.
    server.get(&format!("/v1/runs/{run}/journal")).is(410);
    let own = server.get("/v1/tenant").is(200).json();
    assert_eq!(
        own["load"]["storage_bytes"],
        script.len() + r#"print(1){"state":"queued"}"#.len(),
        "{own}"
    );
    assert_eq!(
        server.get(&format!("/v1/runs/{run}")).json()["state"],
        "succeeded"
    );
    assert!(
        server
            .get(&format!("/v1/runs/{run}/script"))
            .is(200)
            .body
            .contains("hello")
    );
    let (code, stdout, stderr) = client(&session, &server, &["show", &run]);
    assert!(
        code == 0 && stdout.contains("state       succeeded\n") && stdout.contains("were removed"),
        "{code} {stdout} {stderr}"
    );
    let (code, _, stderr) = client(&session, &server, &["logs", &run]);
    assert!(
        code == 2 && stderr.contains("were removed") && stderr.contains("hint: "),
        "{stderr}"
    );
    let metrics = server.get("/metrics").is(200).body;
    assert!(
        metrics.contains("kael_removed_runs_total{state=\"output\"} 1"),
        "{metrics}"
    );
    assert_eq!(server.terminate(), Some(0));
    settings(&session, "keep_runs: 1ms");
    let (code, stdout, stderr) = on_the_machine(&session, &[PRUNE, &["--vacuum"]].concat());
    assert_eq!(
        (code, stdout.as_str()),
        (0, "removed 1 runs, and the output of 0 runs\n"),
        "{stderr}"
    );
    let mut server = Server::spawn(&session, CONFIG);
    server.token = token;
    server.get(&format!("/v1/runs/{run}")).is(404);
    // What is not over stays, however old it is.
    assert_eq!(
        server.get(&format!("/v1/runs/{later}")).is(200).json()["state"],
        "queued"
    );
}

#[test]
fn a_page_says_that_the_output_is_gone() {
    let session = Kael::new();
    settings(&session, "keep_runs: 30d");
    let server = Server::start_with(&session, CONFIG);
    let token = server.token.clone();
    let run = server.submit("print('hello')");
    server.ended(&run);
    assert_eq!(server.terminate(), Some(0));
    settings(&session, "keep_output: 1ms");
    assert_eq!(
        on_the_machine(&session, PRUNE).1,
        "removed 0 runs, and the output of 1 runs\n"
    );
    let mut server = Server::spawn(&session, CONFIG);
    server.token = token;
    let page = super::page::enter(&server, &server.token);
    let page = page.get(&format!("/runs/{run}")).is(200).body;
    assert!(
        page.contains("id=\"removed\"") && page.contains("keeps them for 1ms"),
        "{page}"
    );
}

#[test]
fn a_tenant_that_has_too_much_in_the_store_submits_nothing_more() {
    let session = Kael::new();
    let server = Server::start(&session);
    let ask = |words: &[&str]| client(&session, &server, words);
    assert_eq!(
        ask(&["tenant", "set", "tight", "--max-storage", "4KiB"]).0,
        0
    );
    let token = server.make_token("tight", "submitter");
    let submit = |script: &str| {
        server.ask(
            "POST",
            "/v1/runs",
            Some(&token),
            &json!({ "script": script }),
        )
    };
    let run = submit("print(('x'):rep(5000))").is(202).json();
    let run = run["id"].as_str().expect("an id").to_owned();
    let looked = server.ask(
        "GET",
        &format!("/v1/runs/{run}?wait=30s"),
        Some(&token),
        &json!(null),
    );
    assert_eq!(looked.is(200).json()["state"], "succeeded");
    let full = submit("print(1)").is(429);
    assert!(full.header("retry-after").is_some(), "{}", full.head);
    let problem = full.json();
    assert_eq!(
        (&problem["type"], &problem["limit"]),
        (&json!("urn:kael:storage_full"), &json!(4096))
    );
    assert!(problem["used"].as_u64() > Some(5000), "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(
        detail.starts_with("the tenant `tight` has ") && detail.ends_with("may have 4 KiB"),
        "{problem}"
    );
    let own = server
        .ask("GET", "/v1/tenant", Some(&token), &json!(null))
        .is(200)
        .json();
    assert_eq!(own["load"]["storage_bytes"], problem["used"], "{own}");
    let (code, stdout, _) = ask(&["tenant", "top"]);
    let line = stdout.lines().find(|line| line.starts_with("tight "));
    assert!(
        code == 0 && line.is_some_and(|line| line.contains("KiB") && line.ends_with("4KiB")),
        "{stdout}"
    );
    let (code, _, stderr) = ask(&["tenant", "set", "tight", "--max-storage", "much"]);
    assert!(
        code == 2 && stderr.contains("`max_storage`: `much` is not a size"),
        "{code} {stderr}"
    );
    assert_eq!(
        ask(&["tenant", "set", "tight", "--max-storage", "1MiB"]).0,
        0
    );
    submit("print(1)").is(202);
    let metrics = server.get("/metrics").is(200).body;
    assert!(
        metrics.contains("kael_tenant_storage_bytes{tenant=\"tight\"} "),
        "{metrics}"
    );
}
