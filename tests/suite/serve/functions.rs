//! Stored scripts as functions: JSON in, JSON out, through the same queue and gate as every run.

use std::time::Duration;

use kael_tests::Kael;
use serde_json::json;

use super::Server;

#[test]
fn a_function_answers_with_what_its_script_returns() {
    let session = Kael::new().shell("ok", "", "echo '{\"n\": 3}'");
    let server = Server::start(&session);
    let token = server.make_token("default", "submitter");
    server.store(
        "add",
        "local body = json.decode(arg[1]) return { sum = body.a + body.b, n = actions.t.ok({}).n }",
    );
    server.store("none", "print('nothing')");
    let call = |name: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        server.send(
            "POST",
            &format!("/v1/t/default/f/{name}"),
            &[("Authorization", &bearer)],
            body,
        )
    };
    let answer = call("add", r#"{"a": 40, "b": 2}"#).is(200);
    assert_eq!(answer.json(), json!({ "sum": 42, "n": 3 }));
    // The run is one like any other.
    let run = answer.header("location").expect("a run").to_owned();
    let run = server.get(&run).is(200).json();
    assert_eq!(
        (&run["origin"], &run["submitter"]),
        (&json!("function add"), &json!("submitter of default"))
    );
    assert_eq!(call("none", "").is(200).body, "null");
    assert_eq!(
        call("add@1", r#"{"a": 1, "b": 1}"#).is(200).json()["sum"],
        2
    );
    call("gone", "{}").is(404);
    call("add", "{").is(422);
    call("add", &format!("\"{}\"", "x".repeat(1 << 20))).is(413);
    // With a key, the same call has the same run.
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k")];
    let keyed = |body: &str| server.send("POST", "/v1/t/default/f/add", &headers, body);
    let first = keyed(r#"{"a":1,"b":2}"#).is(200);
    let again = keyed(r#"{"a":1,"b":2}"#).is(200);
    assert_eq!(
        (first.header("location"), first.json()),
        (again.header("location"), again.json())
    );
    keyed(r#"{"a":1,"b":3}"#).is(409);
}

#[test]
fn a_run_that_fails_is_a_problem_with_its_error() {
    let session = Kael::new().shell("deny", "", "echo 1").file(
        "serve.yaml",
        "tenants:\n  - { name: default, actions: actions, policy: [policy.yaml], limits: { timeout: 2s } }\n",
    ).file("policy.yaml", "version: 1\ndefault: allow\nrules:\n  - deny: t.deny\n");
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    server.store("fails", "error('no luck')");
    server.store("denied", "actions.t.deny({})");
    // A run that only waits has no end, and this one goes on.
    server.store("slow", "while true do sleep(5) end");
    let call = |name: &str| server.post(&format!("/v1/t/default/f/{name}"), &json!({}));
    let failed = call("fails").is(502).json();
    assert_eq!(
        (&failed["type"], &failed["detail"]),
        (
            &json!("urn:kael:run_failed"),
            &json!("script: fails:1: no luck")
        ),
        "{failed}"
    );
    let run = failed["run"].as_str().expect("a run");
    assert_eq!(
        server.get(&format!("/v1/runs/{run}")).is(200).json()["state"],
        "failed"
    );
    // The gate and the limits of the tenant hold.
    let denied = call("denied").is(502).json();
    assert!(
        denied["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("denied: ")),
        "{denied}"
    );
    let slow = call("slow").is(502).json();
    assert!(
        slow["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("limit: ")),
        "{slow}"
    );
}

#[test]
fn a_function_has_the_queue_of_its_tenant_and_is_for_its_tenant_alone() {
    let session = Kael::new().shell("wait", "", "sleep 600").file(
        "serve.yaml",
        "tenants:\n  - { name: default, actions: actions, max_running: 1, max_queued: 1 }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    server.store("f", "return 1");
    server.make_tenant("acme", &json!({}));
    let acme = server.make_token("acme", "manager");
    server
        .ask("POST", "/v1/t/default/f/f", Some(&acme), &json!({}))
        .is(404);
    server
        .ask("POST", "/v1/t/gone/f/f", Some(&server.token), &json!({}))
        .is(404);
    server
        .ask("POST", "/v1/t/default/f/f", None, &json!({}))
        .is(401);
    let viewer = server.make_token("default", "viewer");
    server
        .ask("POST", "/v1/t/default/f/f", Some(&viewer), &json!({}))
        .is(403);
    let first = server.submit("actions.t.wait({})");
    while server.get(&format!("/v1/runs/{first}")).json()["state"] == "queued" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let queued = server.submit("return 1");
    server.post("/v1/t/default/f/f", &json!({})).is(429);
    server
        .post(&format!("/v1/runs/{queued}/cancel"), &json!({}))
        .is(202);
    // One that waits for its turn begins when there is a slot.
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| server.post("/v1/t/default/f/f", &json!({})));
        while server.get("/v1/runs?state=queued").json()["runs"]
            .as_array()
            .is_none_or(Vec::is_empty)
        {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        server
            .post(&format!("/v1/runs/{first}/cancel"), &json!({}))
            .is(202);
        call.join().expect("an answer")
    });
    assert_eq!(answer.is(200).json(), json!(1));
}

#[test]
fn a_result_that_was_removed_is_gone_and_not_nothing() {
    let session = Kael::new();
    let keeping = |keep: &str| {
        let text = format!("tenants:\n  - {{ name: default, keep_output: {keep} }}\n");
        std::fs::write(session.path().join("serve.yaml"), text).expect("a file");
    };
    keeping("7d");
    let config = ["--config", "serve.yaml"];
    let server = Server::start_with(&session, &config);
    let token = server.token.clone();
    server.store("five", "return 5");
    let call = |server: &Server| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", "k")];
        server.send("POST", "/v1/t/default/f/five", &headers, "{}")
    };
    let answer = call(&server).is(200);
    assert_eq!(answer.body, "5");
    let run = answer.header("location").expect("a run").to_owned();
    assert_eq!(server.terminate(), Some(0));
    keeping("1ms");
    let server = Server::restart_with(&session, &token, &config);
    // A task of the server removes it soon after its start.
    while server.get(&format!("{run}/result")).status != 410 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let gone = call(&server).is(410).json();
    assert_eq!(
        (&gone["type"], gone["run"].as_str()),
        (&json!("urn:kael:gone"), run.strip_prefix("/v1/runs/"))
    );
}
