//! Requests that a program makes of the OpenAPI document (schemathesis), against a real server.

use std::process::Command;

use kael_tests::{Kael, Need, needs, python};
use serde_json::json;

use super::Server;

#[test]
fn no_request_that_the_document_allows_or_forbids_is_an_error_of_the_server() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let session = Kael::new();
    let server = Server::start(&session);
    server.store("hello", "print('hello') return { n = 1 }");
    server.ended(&server.submit("print(1)"));
    server.make_tenant("acme", &json!({}));
    // As an operator everything can be reached.
    let bearer = format!("Authorization: Bearer {}", server.token);
    let run = |words: &[&str]| {
        let output = Command::new(python().expect("needed").join("schemathesis"))
            .current_dir(session.path())
            .args(["run", &format!("http://{}/v1/openapi.json", server.address)])
            .args(["--header", &bearer, "--header", "Kael-Tenant: default"])
            .args([
                "--checks",
                "not_a_server_error",
                "--phases",
                "examples,coverage,fuzzing",
            ])
            // With two workers, Hypothesis now and then fails in a cache that both use.
            .args(["--seed", "20", "--max-examples", "8", "--workers", "1"])
            .args(["--request-timeout", "60", "--continue-on-failure"])
            .args(["--warnings", "off", "--no-color"])
            .args(words)
            .output()
            .expect("schemathesis starts");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        // It has asked something.
        assert!(
            said.contains("passed") && said.contains("generated"),
            "{said}"
        );
    };
    let apart = ["put_tenant", "delete_token"];
    let without: Vec<&str> = apart
        .iter()
        .flat_map(|id| ["--exclude-operation-id", *id])
        .collect();
    // What follows a run is answered for as long as that goes on.
    let all = [
        &without[..],
        &["--exclude-operation-id", "follow_run", "--max-time", "35"],
    ]
    .concat();
    run(&all);
    // What may take away the token or the tenant that this is done with, at the end.
    let with: Vec<&str> = apart
        .iter()
        .flat_map(|id| ["--include-operation-id", *id])
        .collect();
    run(&[&with[..], &["--max-time", "8"]].concat());
    server.get("/healthz").is(200);
}
