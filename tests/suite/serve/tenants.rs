//! Who may do what, and that one tenant sees nothing of another.

use std::io::Read as _;

use kael_tests::{Kael, Need, needs};
use serde_json::{Value, json};

use super::Server;

#[test]
fn what_belongs_to_another_tenant_is_not_there() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    server.make_tenant("other", &json!({}));
    let acme = server.make_token("acme", "manager");
    let other = server.make_token("other", "manager");
    let run = server
        .ask(
            "POST",
            "/v1/runs",
            Some(&acme),
            &json!({ "script": "print('secret')" }),
        )
        .is(202)
        .json();
    let id = run["id"].as_str().expect("an id");
    for part in ["", "/result", "/output", "/calls", "/script", "/events"] {
        server
            .ask(
                "GET",
                &format!("/v1/runs/{id}{part}"),
                Some(&other),
                &Value::Null,
            )
            .is(404);
    }
    server
        .ask(
            "POST",
            &format!("/v1/runs/{id}/cancel"),
            Some(&other),
            &json!({}),
        )
        .is(404);
    let list = server
        .ask("GET", "/v1/runs", Some(&other), &Value::Null)
        .is(200)
        .json();
    assert_eq!(list["runs"], json!([]));
    let tokens = server
        .ask("GET", "/v1/tokens", Some(&acme), &Value::Null)
        .is(200)
        .json();
    let own = tokens["tokens"][0]["id"].as_str().expect("an id");
    assert_eq!(
        tokens["tokens"].as_array().map(Vec::len),
        Some(1),
        "{tokens}"
    );
    server
        .ask(
            "DELETE",
            &format!("/v1/tokens/{own}"),
            Some(&other),
            &Value::Null,
        )
        .is(404);
    let bearer = format!("Bearer {other}");
    let headers = [("Authorization", bearer.as_str()), ("Kael-Tenant", "acme")];
    server.send("GET", "/v1/runs", &headers, "").is(404);
    let audit = server
        .ask("GET", "/v1/audit", Some(&other), &Value::Null)
        .is(200)
        .body;
    assert!(!audit.contains("acme"), "{audit}");
    // The operator sees both, one at a time.
    let bearer = format!("Bearer {}", server.token);
    let headers = [("Authorization", bearer.as_str()), ("Kael-Tenant", "acme")];
    server
        .send("GET", &format!("/v1/runs/{id}"), &headers, "")
        .is(200);
}

#[test]
fn roles_bound_what_a_token_may_do() {
    let server = Server::owning(Kael::new());
    let token = |role: &str| server.make_token("default", role);
    let (viewer, submitter, manager) = (token("viewer"), token("submitter"), token("manager"));
    let submit = json!({ "script": "print(1)" });
    server.ask("POST", "/v1/runs", None, &submit).is(401);
    server
        .ask("POST", "/v1/runs", Some("kael_wrong"), &submit)
        .is(401);
    let refused = server
        .ask("POST", "/v1/runs", Some(&viewer), &submit)
        .is(403)
        .json();
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("the role submitter")),
        "{refused}"
    );
    server
        .ask("POST", "/v1/runs", Some(&submitter), &submit)
        .is(202);
    server
        .ask("GET", "/v1/tokens", Some(&submitter), &Value::Null)
        .is(403);
    server
        .ask("GET", "/v1/tenants", Some(&manager), &Value::Null)
        .is(403);
    server
        .ask("GET", "/metrics", Some(&manager), &Value::Null)
        .is(403);
    // A manager makes no token that may do more.
    let more = json!({ "name": "x", "role": "operator" });
    server
        .ask("POST", "/v1/tokens", Some(&manager), &more)
        .is(403);
    let made = json!({ "name": "x", "role": "viewer", "expires_in": "1s" });
    let made = server
        .ask("POST", "/v1/tokens", Some(&manager), &made)
        .is(201)
        .json();
    let short = made["secret"].as_str().expect("a token").to_owned();
    server
        .ask("GET", "/v1/me", Some(&short), &Value::Null)
        .is(200);
    // A token that is taken away works no more, and one that has expired neither.
    let tokens = server
        .ask("GET", "/v1/tokens", Some(&manager), &Value::Null)
        .is(200)
        .json();
    let all = tokens["tokens"].as_array().expect("tokens");
    let id = all
        .iter()
        .find(|token| token["role"] == "submitter")
        .expect("it")["id"]
        .as_str()
        .expect("an id");
    server
        .ask(
            "DELETE",
            &format!("/v1/tokens/{id}"),
            Some(&manager),
            &Value::Null,
        )
        .is(204);
    server
        .ask("POST", "/v1/runs", Some(&submitter), &submit)
        .is(401);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    server
        .ask("GET", "/v1/me", Some(&short), &Value::Null)
        .is(401);
}

#[test]
fn a_link_signs_in_once() {
    let session = Kael::new();
    let server = Server::start(&session);
    let link = server.started["sign_in"].as_str().expect("a link");
    let code = link.split_once("code=").expect("a code").1;
    server
        .ask("POST", "/v1/login", None, &json!({ "code": code }))
        .is(401);
    let code = server.code(&server.token);
    let me = server
        .ask(
            "POST",
            "/v1/login",
            None,
            &json!({ "code": code, "name": "laptop" }),
        )
        .is(201)
        .json();
    assert_eq!(
        (&me["role"], &me["name"]),
        (&json!("operator"), &json!("operator: login: laptop"))
    );
}

#[test]
fn the_store_has_no_secret_of_a_token() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.make_token("default", "viewer");
    let folder = session.path().join("data/server/store");
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a file");
        for secret in [&token, &server.token] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{}", entry.path().display());
        }
    }
}

#[test]
fn a_queue_has_a_bound_and_says_when_to_come_back() {
    let session = Kael::new().shell("wait", "", "sleep 600").file(
        "serve.yaml",
        "tenants:\n  - { name: default, actions: actions, max_running: 1, max_queued: 2 }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let wait = json!({ "script": "actions.t.wait({})" });
    let first = server.submit("actions.t.wait({})");
    while server.get(&format!("/v1/runs/{first}")).json()["state"] == "queued" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    server.post("/v1/runs", &wait).is(202);
    server.post("/v1/runs", &wait).is(202);
    let full = server.post("/v1/runs", &wait).is(429);
    assert!(full.header("retry-after").is_some(), "{}", full.head);
    let problem = full.json();
    assert_eq!(
        (&problem["type"], &problem["limit"], &problem["used"]),
        (&json!("urn:kael:queue_full"), &json!(2), &json!(2))
    );
    // So are runs that wait for their time, which hold no place in the queue.
    server.make_tenant("later", &json!({ "max_queued": 1 }));
    let token = server.make_token("later", "submitter");
    let later = json!({ "script": "print(1)", "start_at": "2999-01-01T00:00:00Z", "deadline": "2999-01-02T00:00:00Z" });
    server.ask("POST", "/v1/runs", Some(&token), &later).is(202);
    let full = server
        .ask("POST", "/v1/runs", Some(&token), &later)
        .is(429)
        .json();
    assert_eq!(full["type"], "urn:kael:queue_full");
    let load = server.get("/v1/tenant").is(200).json();
    let load = &load["load"];
    assert_eq!((&load["running"], &load["queued"]), (&json!(1), &json!(2)));
    assert_eq!(load["slot_seconds"], json!(0.0));
}

#[test]
fn an_action_sees_none_of_the_servers_variables() {
    let session = Kael::new()
        .shell(
            "env",
            "env = { 'OWN', 'KAEL_TOKEN', 'SERVERS_OWN' }",
            "env | sort | tr '\\n' ' ' | sed 's/.*/{\"env\": \"&\"}/'",
        )
        .env("SERVERS_OWN", "secret-of-the-server")
        .file(
            "serve.yaml",
            "tenants:\n  - { name: default, actions: actions, env: { OWN: of-the-tenant } }\n",
        );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let run = server.submit("print(actions.t.env({}).env)");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let output = server.get(&format!("/v1/runs/{run}/output")).is(200).body;
    assert!(output.contains("OWN=of-the-tenant"), "{output}");
    assert!(!output.contains("secret-of-the-server"), "{output}");
}

#[test]
fn a_native_action_sees_neither_what_is_the_servers_nor_another_tenant() {
    if !needs(&[Need::Namespace]) {
        return;
    }
    let look = r#"cd "$SERVERS_DATA"
        own=$(cat ../../serve.yaml ../../of-the-client 2>/dev/null)
        printf '{"store": "%s"}' "$(ls store 2>&1 | wc -c) $(cat tenants/other/secret 2>/dev/null) ${#own}""#;
    let session = Kael::new().shell("look", "env = { 'SERVERS_DATA' }", look);
    let data = session.path().join("data/server");
    std::fs::create_dir_all(data.join("tenants/other")).expect("a folder");
    std::fs::write(data.join("tenants/other/secret"), "of-the-other").expect("a file");
    let settings = format!(
        "oidc: {{ issuer: \"http://127.0.0.1:9\", client_id: kael, client_secret: of-the-client, roles: {{ ops: operator }}, tenant: default }}\n\
         tenants:\n  - {{ name: default, actions: actions, env: {{ SERVERS_DATA: \"{}\", KAEL_SERVER_FILES: x }} }}\n",
        data.display()
    );
    let session = session
        .file("of-the-client", "secret")
        .file("serve.yaml", settings);
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    assert!(data.join("store/serve.db").is_file());
    let run = server.submit("print(actions.t.look({}).store)");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let output = server.get(&format!("/v1/runs/{run}/output")).is(200).body;
    assert_eq!(output.trim(), "0  0");
}

/// A token that a link of another token makes.
fn heir(server: &Server, token: &str, name: &str) -> super::Answer {
    let code = server.code(token);
    server.ask(
        "POST",
        "/v1/login",
        None,
        &json!({ "code": code, "name": name }),
    )
}

#[test]
fn a_token_goes_with_all_that_its_links_have_made() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    let first = server.make_token("acme", "submitter");
    let second = heir(&server, &first, "laptop").is(201).json();
    let secret = second["secret"].as_str().expect("a token");
    let third = heir(&server, secret, "phone").is(201).json();
    assert_eq!(third["name"], "submitter of acme: laptop: phone");
    let open = server.code(secret);
    let me = server
        .ask("GET", "/v1/me", Some(&first), &Value::Null)
        .is(200)
        .json();
    let id = me["token"].as_str().expect("an id");
    let manager = server.make_token("acme", "manager");
    server
        .ask(
            "DELETE",
            &format!("/v1/tokens/{id}"),
            Some(&manager),
            &Value::Null,
        )
        .is(204);
    for token in [&first, secret, third["secret"].as_str().expect("a token")] {
        server
            .ask("GET", "/v1/me", Some(token), &Value::Null)
            .is(401);
    }
    server
        .ask("POST", "/v1/login", None, &json!({ "code": open }))
        .is(401);
}

#[test]
fn nobody_signs_in_as_somebody_else_or_without_end() {
    let server = Server::owning(Kael::new());
    let token = server.make_token("default", "viewer");
    for name in ["x\u{1b}[31m", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
        let refused = heir(&server, &token, name).is(422);
        assert!(refused.body.contains("`name` must be"), "{}", refused.body);
    }
    let named = heir(&server, &token, "operator").is(201).json();
    assert_eq!(named["name"], "viewer of default: operator");
    for _ in 0..49 {
        heir(&server, &token, "").is(201);
    }
    heir(&server, &token, "").is(429);
    let links = (0..40).map(|_| {
        server
            .ask("POST", "/v1/sign-ins", Some(&token), &json!({}))
            .status
    });
    let links: Vec<u16> = links.collect();
    assert!(links.contains(&429), "{links:?}");
}

#[test]
fn a_stream_of_events_ends_with_its_token() {
    let server = Server::owning(Kael::new());
    let token = server.make_token("default", "viewer");
    let run = server.submit("print('begun') sleep(60)");
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let mut stream = server.open("GET", &format!("/v1/runs/{run}/events"), &headers, "");
    // The stream has begun before its token goes.
    let mut begun = Vec::new();
    while !String::from_utf8_lossy(&begun).contains("begun") {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).expect("events");
        assert!(count > 0, "{}", String::from_utf8_lossy(&begun));
        begun.extend_from_slice(&piece[..count]);
    }
    let me = server
        .ask("GET", "/v1/me", Some(&token), &Value::Null)
        .is(200)
        .json();
    let id = me["token"].as_str().expect("an id");
    server
        .ask(
            "DELETE",
            &format!("/v1/tokens/{id}"),
            Some(&server.token),
            &Value::Null,
        )
        .is(204);
    // Its end comes long before that of the run.
    stream.read_to_end(&mut begun).expect("the end");
    let events = String::from_utf8_lossy(&begun);
    assert!(!events.contains("event: end"), "{events}");
}
