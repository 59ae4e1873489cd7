//! Alerts of rules on a server: sent by `rules run --server`, listed by the API and the page.

use kael_tests::{Kael, Ran};
use serde_json::{Value, json};

use super::Server;
use super::page::enter;

const SCHEMA: &str = r#"{"schema_version":"1.0","type":{"from":["type"],"default":"other"},"time":{"from":["t"],"format":"ms"},
    "event_types":{"1":"process_exec","2":"other"},"fields":{"1":{"path":"process.name","type":"string"}}}"#;

fn rules() -> Kael {
    let manifest = |id: &str, severity: &str| {
        format!(
            r#"{{"format_version":"1.0","metadata":{{"rule_id":"{id}","rule_name":"A <b>shell</b> of {id}","rule_version":"1.2.0",
            "severity":"{severity}"}}}}"#
        )
    };
    let predicate = "function pred_eval(e) return kestrel.event_get_str(e, 1) == 'nc' end
        function pred_capture(e) return { host = 'web-1' } end";
    Kael::new()
        .file("rules/schema.json", SCHEMA)
        .file("rules/nc/manifest.json", manifest("nc", "High"))
        .file("rules/nc/predicate.lua", predicate)
        .file("rules/low/manifest.json", manifest("low", "Low"))
        .file("rules/low/predicate.lua", predicate)
        .file("events.jsonl", "{\"type\":\"process_exec\",\"t\":1000,\"process.name\":\"nc\"}\n{\"t\":2000}\n{\"t\":3000,\"process.name\":\"nc\"}\n")
}

/// A run of the rules that sends its alerts.
fn sent(server: &Server, token: &str) -> Ran {
    let to = format!("--server=http://{}", server.address);
    rules()
        .env("KAEL_TOKEN", token)
        .words(&["rules", "run", "rules", "--events", "events.jsonl", &to])
        .ends()
}

#[test]
fn rules_send_their_alerts_and_the_page_lists_them() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    server.make_tenant("other", &json!({}));
    let token = server.make_token("acme", "submitter");
    let send = || {
        let ran = sent(&server, &token);
        ran.exits(0);
        ran.stdout.lines().count()
    };
    // Sent twice they are there once.
    assert_eq!((send(), send()), (4, 4));
    let get = |path: &str| server.ask("GET", path, Some(&token), &Value::Null);
    let all = get("/v1/alerts").is(200).json();
    assert_eq!(all["alerts"].as_array().map(Vec::len), Some(4), "{all}");
    let high = get("/v1/alerts?severity=Medium&rule=nc").is(200).json();
    assert_eq!(high["alerts"].as_array().map(Vec::len), Some(2), "{high}");
    let first = &high["alerts"][0];
    assert_eq!(first["alert"]["context"]["captures"]["host"], "web-1");
    let id = first["id"].as_str().expect("an id").to_owned();
    assert_eq!(get(&format!("/v1/alerts/{id}")).is(200).json(), *first);
    // The page shows text as text.
    let session = enter(&server, &token);
    let page = session.get("/alerts?severity=High").is(200).body;
    assert_eq!(
        page.matches("A &lt;b&gt;shell&lt;/b&gt; of nc").count(),
        2,
        "{page}"
    );
    assert!(!page.contains("of low"), "{page}");
    let page = session.get(&format!("/alerts/{id}")).is(200).body;
    assert!(
        page.contains("web-1") && page.contains("process.name"),
        "{page}"
    );
    // Another tenant sees none of them.
    let other = server.make_token("other", "manager");
    let get = |path: &str| server.ask("GET", path, Some(&other), &Value::Null);
    assert_eq!(get("/v1/alerts").is(200).json()["alerts"], json!([]));
    get(&format!("/v1/alerts/{id}")).is(404);
}

#[test]
fn what_is_no_alert_is_refused_and_a_viewer_sends_none() {
    let server = Server::owning(Kael::new());
    let right = json!({ "id": "a-1", "rule_id": "a", "severity": "Low", "title": "A" });
    for (alert, said) in [
        (
            json!({}),
            "`alerts[0]` needs a text of at most 1024 bytes as `severity`",
        ),
        (
            json!({ "id": "a", "rule_id": "a", "severity": "bad", "title": "A" }),
            "needs one of Informational, Low, Medium, High, Critical",
        ),
        (
            json!({ "id": "a", "rule_id": "x".repeat(2000), "severity": "Low", "title": "A" }),
            "as `rule_id`",
        ),
    ] {
        let answer = server
            .post("/v1/alerts", &json!({ "alerts": [alert] }))
            .is(422);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    let many = vec![right.clone(); 1001];
    server
        .post("/v1/alerts", &json!({ "alerts": many }))
        .is(413);
    server.get("/v1/alerts?severity=bad").is(400);
    server.get("/v1/alerts/x").is(404);
    server.make_tenant("acme", &json!({}));
    let viewer = server.make_token("acme", "viewer");
    server
        .ask(
            "POST",
            "/v1/alerts",
            Some(&viewer),
            &json!({ "alerts": [right] }),
        )
        .is(403);
}

#[test]
fn a_server_that_refuses_is_told_and_no_alert_is_lost() {
    let server = Server::owning(Kael::new());
    let ran = sent(&server, "kael-none");
    ran.exits(4).says("token");
    assert_eq!(ran.stdout.lines().count(), 4);
    let ran = rules().words(&["rules", "run", "rules", "--server"]).ends();
    ran.exits(2).says("no server is known");
}
