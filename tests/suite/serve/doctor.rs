//! What an operator is told about a server, and what a server with several tenants refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kael_tests::{Kael, Need, needs, project};
use serde_json::{Value, json};

use super::Server;
use super::retention::on_the_machine;

/// The status of each part, and what was found, by name.
fn examined(session: &Kael) -> (i32, Value) {
    let words = ["doctor", "--server", "--config", "serve.yaml", "--json"];
    let (code, stdout, stderr) = on_the_machine(session, &words);
    let found: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
    let findings = found["findings"].as_array().expect("findings");
    let by_name = findings.iter().map(|finding| {
        (
            finding["name"].as_str().unwrap_or_default().to_owned(),
            finding.clone(),
        )
    });
    (code, by_name.collect())
}

#[test]
fn a_server_that_is_well_is_told_so_while_it_runs() {
    let session = Kael::new().file("serve.yaml", "connections: 20\nslots: 2\n");
    let (code, found) = examined(&session);
    assert_eq!(code, 0, "{found}");
    assert!(
        found["store"]["detail"]
            .as_str()
            .is_some_and(|text| text.contains("not there yet"))
    );
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    server.ended(&server.submit("print(1)"));
    let (code, found) = examined(&session);
    assert_eq!(code, 0, "{found}");
    for part in ["store", "descriptors", "modes", "clock"] {
        assert_eq!(found[part]["status"], "ok", "{found}");
    }
    assert!(
        found["store"]["detail"]
            .as_str()
            .is_some_and(|text| text.contains("is whole: "))
    );
    // On 127.0.0.1 no certificate is needed.
    assert!(
        found["certificate"].is_null() && found["disk"].is_object(),
        "{found}"
    );
}

#[test]
fn what_is_wrong_with_a_server_has_a_remedy() {
    let read = |name: &str| fs::read(project(&format!("tests/fixtures/tls/{name}"))).expect(name);
    let session = Kael::new()
        .file("c.pem", read("expired.pem"))
        .file("k.pem", read("expired.key"))
        .file(
            "serve.yaml",
            "connections: 1000000\ntls: { certificate: c.pem, key: k.pem }\n\
             tenants:\n  - { name: default, env: { TOKEN: x } }\n",
        );
    for name in ["k.pem", "serve.yaml"] {
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(session.path().join(name), open).expect("a mode");
    }
    let (code, found) = examined(&session);
    assert_eq!(code, 1, "{found}");
    assert_eq!(found["certificate"]["status"], "missing", "{found}");
    let detail = |part: &str| {
        found[part]["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(detail("certificate").starts_with("it expired "), "{found}");
    assert!(
        detail("descriptors").contains("1000000 connections"),
        "{found}"
    );
    assert!(
        detail("modes").contains("k.pem (644)") && detail("modes").contains("serve.yaml (644)"),
        "{found}"
    );
    for part in ["certificate", "descriptors", "modes"] {
        assert!(found[part]["remedy"].is_string(), "{found}");
    }
    let session = session.file("k.pem", read("server.key"));
    let (_, found) = examined(&session);
    assert_eq!(found["certificate"]["status"], "missing", "{found}");
    let session = session.file("serve.yaml", "listen: 0.0.0.0:7788\n");
    let (_, found) = examined(&session);
    assert!(
        found["certificate"]["detail"]
            .as_str()
            .is_some_and(|text| text.contains("in the clear")),
        "{found}"
    );
}

#[test]
fn without_walls_native_actions_are_for_one_tenant_alone() {
    let session = || {
        let session = Kael::new()
            .env("KAEL_CONFINEMENT", "off")
            .shell("one", "", "echo 1");
        session.write_repo();
        session
    };
    let two = "tenants:\n  - { name: default, actions: actions }\n  - { name: b }\n";
    let refused = session()
        .file("serve.yaml", two)
        .words(&["serve", "--config", "serve.yaml", "--listen", "127.0.0.1:0"])
        .ends();
    refused.exits(3).says(
        "Error: the tenant `default` is wrong: its native actions (`t.one`) could read what belongs to the server's other \
         tenants, because `confinement` is off; make them WebAssembly or containers",
    );
    let session = session().file("serve.yaml", two);
    let (code, found) = examined(&session);
    assert_eq!(
        (code, &found["tenants"]["status"]),
        (1, &json!("missing")),
        "{found}"
    );
    // One tenant may have them; then there comes no second one.
    let session = session.file(
        "serve.yaml",
        "tenants:\n  - { name: default, actions: actions }\n",
    );
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let put = |name: &str, body: &Value| {
        server.ask(
            "PUT",
            &format!("/v1/tenants/{name}"),
            Some(&server.token),
            body,
        )
    };
    let refused = put("b", &json!({})).is(422).json();
    let detail = refused["detail"].as_str().unwrap_or_default();
    assert!(
        detail.starts_with("the tenant `default`: its native actions (`t.one`)"),
        "{refused}"
    );
    put("b", &json!({ "disabled": true })).is(200);
    let run = server.submit("print(actions.t.one({}))");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
}

#[test]
fn behind_walls_several_tenants_may_have_native_actions() {
    if !needs(&[Need::Namespace]) {
        return;
    }
    let session = Kael::new().shell("one", "", "echo 1").file(
        "serve.yaml",
        "tenants:\n  - { name: a, actions: actions }\n  - { name: b, actions: actions }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    for tenant in ["a", "b"] {
        let token = server.make_token(tenant, "submitter");
        let body = json!({ "script": "print(actions.t.one({}))" });
        let run = server
            .ask("POST", "/v1/runs", Some(&token), &body)
            .is(202)
            .json();
        let path = format!("/v1/runs/{}?wait=30s", run["id"].as_str().expect("an id"));
        let ended = server
            .ask("GET", &path, Some(&token), &Value::Null)
            .is(200)
            .json();
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
}
