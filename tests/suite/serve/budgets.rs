//! Budgets over windows of time: all runs of a tenant share them, and no other tenant does.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::noting::Noting;

const POLICY: &str = "version: 1
default: allow
budgets:
- { actions: t.look, calls: 3, per: 366d }
- { actions: t.wait, calls: 1, per: 30d, over: wait }
";

/// A repo with that policy.
fn session() -> Kael {
    let session = Kael::new()
        .shell("look", "effects = 'none'", "echo 1")
        .shell("wait", "effects = 'none', timeout = '31d'", "echo 1")
        .file("actions/policy.yaml", POLICY);
    session.write_repo();
    session
}

/// Runs a script for the tenant of a token: what it has printed.
fn printed(server: &Server, token: &str, script: &str) -> String {
    let body = json!({ "script": script });
    let run = server.ask("POST", "/v1/runs", Some(token), &body).is(202);
    let run = run.json()["id"].as_str().expect("an id").to_owned();
    let ask = |path: &str| server.ask("GET", path, Some(token), &Value::Null).is(200);
    loop {
        let state = ask(&format!("/v1/runs/{run}?wait=10s")).json();
        if state["ended"].is_string() {
            assert_eq!(state["state"], "succeeded", "{state}");
            return ask(&format!("/v1/runs/{run}/output")).body;
        }
    }
}

#[test]
fn runs_of_a_tenant_share_a_budget_and_tenants_do_not() {
    let session = session();
    let server = Server::start(&session);
    let folder = session.path().join("actions").display().to_string();
    for tenant in ["acme", "other"] {
        server.make_tenant(tenant, &json!({ "actions": folder }));
    }
    let acme = server.make_token("acme", "submitter");
    let other = server.make_token("other", "submitter");
    let script =
        "local n = 0 for _ = 1, 2 do if pcall(actions.t.look, {}) then n = n + 1 end end print(n)";
    assert_eq!(printed(&server, &acme, script), "2\n");
    assert_eq!(printed(&server, &acme, script), "1\n");
    assert_eq!(printed(&server, &other, script), "2\n");
    assert_eq!(printed(&server, &acme, script), "0\n");
    let why = "print(select(2, pcall(actions.t.look, {})).message)";
    let told = printed(&server, &acme, why);
    assert!(
        told.contains("the budget of the tenant is spent, and has room again at 20"),
        "{told}"
    );
}

#[test]
fn a_run_that_waits_for_room_is_cancelled() {
    let server = Server::owning(session());
    let waiting = server.submit("actions.t.wait({}) print('once') actions.t.wait({})");
    // Both calls are counted before they are made, so the second one waits.
    while server.get(&format!("/v1/runs/{waiting}/output")).body != "once\n" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server
        .post(&format!("/v1/runs/{waiting}/cancel"), &json!({}))
        .is(202);
    assert_eq!(server.ended(&waiting)["state"], "cancelled");
}

#[test]
fn a_run_that_goes_on_after_its_server_has_the_budget_that_it_had_left() {
    let noting = Noting::new("effects = 'idempotent'");
    let policy =
        "version: 1\ndefault: allow\nbudgets:\n- { actions: t.note, calls: 3, per: run }\n";
    std::fs::write(noting.kael.path().join("actions/policy.yaml"), policy).expect("a file");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(
        "actions.t.note({}) actions.t.note({ mode = 'wait' })
        for _ = 1, 2 do print((pcall(actions.t.note, {}))) end",
    );
    noting.wait_for_notes(2);
    server.kill();
    let server = Server::restart(&noting.kael, &token);
    noting.go();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    assert_eq!(server.output(&run), "true\nfalse\n");
}
