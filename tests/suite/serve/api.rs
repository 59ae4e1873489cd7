//! The API as its OpenAPI document describes it: the document is checked in, and who may call what is
//! tried for every operation in it.

use kael_tests::{Kael, project};
use serde_json::{Value, json};

use super::Server;

/// The roles, from the one that may do least.
const ROLES: [&str; 5] = ["viewer", "submitter", "approver", "manager", "operator"];

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let server = Server::owning(Kael::new());
    let document = server.get("/v1/openapi.json").is(200).json();
    let text = serde_json::to_string_pretty(&document).expect("a text") + "\n";
    let file = project("host/server/openapi.json");
    if std::env::var_os("KAEL_WRITE_OPENAPI").is_some() {
        std::fs::write(&file, &text).expect("a file");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "host/server/openapi.json is not the document of the server: KAEL_WRITE_OPENAPI=1 and this test write it anew"
    );
}

/// Every operation of the document that knows its caller: method, path and role.
fn operations(document: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if let Some(role) = operation["x-kael-role"].as_str() {
                all.push((method.to_uppercase(), path.clone(), role.to_owned()));
            }
        }
    }
    assert!(all.len() >= 20, "{all:?}");
    all
}

#[test]
fn every_operation_refuses_who_has_no_token_who_may_less_and_another_tenant() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    server.make_tenant("other", &json!({}));
    let tokens: Vec<_> = ROLES[..4]
        .iter()
        .map(|role| server.make_token("acme", role))
        .collect();
    let other = server.make_token("other", "manager");
    let submitted = json!({ "script": "print(1)" });
    let run = server
        .ask("POST", "/v1/runs", Some(&tokens[1]), &submitted)
        .is(202)
        .json();
    let run = run["id"].as_str().expect("an id").to_owned();
    let list = server
        .ask("GET", "/v1/tokens", Some(&tokens[3]), &Value::Null)
        .is(200)
        .json();
    let token = list["tokens"][0]["id"].as_str().expect("an id").to_owned();
    let document = server.get("/v1/openapi.json").is(200).json();
    for (method, path, role) in operations(&document) {
        let id = if path.starts_with("/v1/tokens") {
            &token
        } else {
            &run
        };
        let named = path.replace("{id}", id).replace("{name}", "acme");
        let named = named.replace("{tenant}", "acme");
        let body = if method == "GET" || method == "DELETE" {
            Value::Null
        } else {
            json!({})
        };
        server.ask(&method, &named, None, &body).is(401);
        server
            .ask(&method, &named, Some("kael_unknown"), &body)
            .is(401);
        let rank = ROLES.iter().position(|one| *one == role).expect("a role");
        for lower in &tokens[..rank.min(4)] {
            let answer = server.ask(&method, &named, Some(lower), &body);
            assert_eq!(
                answer.status, 403,
                "{method} {named} with a lower role: {}",
                answer.body
            );
        }
        if path.contains("{id}") || path.contains("{tenant}") {
            let answer = server.ask(&method, &named, Some(&other), &body);
            assert_eq!(
                answer.status, 404,
                "{method} {named} of another tenant: {}",
                answer.body
            );
        }
    }
}

#[test]
fn what_is_no_request_gets_a_problem_and_never_a_500() {
    let server = Server::owning(Kael::new());
    let document = server.get("/v1/openapi.json").is(200).json();
    let bearer = format!("Bearer {}", server.token);
    let auth = ("Authorization", bearer.as_str());
    let odd = [
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "\u{202e}",
        "%ff%fe",
        "x%0d%0aSet-Cookie:%20a=b",
    ];
    let bodies = [
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"script\":5}",
        "{\"name\":\"\"}",
        "{\"limits\":{\"cpu\":\"-1\"}}",
    ];
    for (method, path, _) in operations(&document) {
        for text in odd {
            let text: String = text.chars().filter(char::is_ascii).collect();
            let named = path.replace("{id}", &text).replace("{name}", &text);
            let answer = server.send(&method, &named, &[auth], "");
            assert!(answer.status != 500, "{method} {named}: {}", answer.body);
            assert!(!answer.head.contains("Set-Cookie: a=b"), "{}", answer.head);
        }
        if method == "POST" || method == "PUT" {
            for body in bodies {
                let named = path.replace("{id}", "x").replace("{name}", "x");
                let answer = server.send(&method, &named, &[auth], body);
                assert!(
                    answer.status != 500,
                    "{method} {named} {body}: {}",
                    answer.body
                );
                let problem = answer.header("content-type") == Some("application/problem+json");
                assert!(
                    answer.status < 400 || problem,
                    "{method} {named}: {}",
                    answer.head
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_in_words_of_the_request() {
    let server = Server::owning(Kael::new());
    let told = |answer: super::Answer| {
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
        for word in [
            "deserialize",
            "target type",
            "sequence",
            "struct",
            "i32",
            "line 1 column",
        ] {
            assert!(!detail.contains(word), "{detail}");
        }
        detail
    };
    for (body, detail) in [
        (json!({ "script": 5 }), "`script` must be a text, got 5"),
        (
            json!({ "script": "", "labels": ["a"] }),
            "`labels` must be an object, got a list",
        ),
        (
            json!({ "script": "", "priority": 1.5 }),
            "`priority` must be a whole number that is not too large, got 1.5",
        ),
        (
            json!({ "script": "", "limits": { "cup": "1s" } }),
            "unknown field `cup` (did you mean `cpu`?)",
        ),
    ] {
        assert_eq!(
            told(server.post("/v1/runs", &body).is(422)),
            detail,
            "{body}"
        );
    }
    let bearer = format!("Bearer {}", server.token);
    let broken = server.send(
        "POST",
        "/v1/runs",
        &[("Authorization", &bearer)],
        "{ no json",
    );
    assert_eq!(
        told(broken.is(400)),
        "the body is no JSON: look at line 1, column 3"
    );
    let query = |query: &str| told(server.get(&format!("/v1/runs?{query}")).is(400));
    assert_eq!(
        query("limit=many"),
        "`limit` must be a whole number that is not too large"
    );
    assert_eq!(
        query("sate=failed"),
        "unknown field `sate` (did you mean `state`?)"
    );
}

#[test]
fn the_record_comes_in_pages_of_any_size() {
    let server = Server::owning(Kael::new());
    for n in 0..5 {
        let body = json!({ "name": format!("t{n}"), "role": "viewer" });
        server.post("/v1/tokens", &body).is(201);
    }
    let first = server.get("/v1/audit?limit=2").is(200).json();
    assert_eq!(first["entries"].as_array().map(Vec::len), Some(2));
    let cursor = first["next"].as_str().expect("more");
    let second = server
        .get(&format!("/v1/audit?limit=2&cursor={cursor}"))
        .is(200)
        .json();
    assert_ne!(first["entries"][1], second["entries"][0]);
    server.get("/v1/audit?limit=0").is(400);
    server.get("/v1/audit?limit=501").is(400);
}

#[test]
fn one_peer_cannot_take_all_connections() {
    let session = Kael::new().file("serve.yaml", "connections: 8\nconnections_per_peer: 3\n");
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let open = || std::net::TcpStream::connect(&server.address).expect("a connection");
    let held: Vec<_> = (0..3).map(|_| open()).collect();
    // One too many is closed at once.
    let mut refused = open();
    refused
        .set_read_timeout(Some(super::PATIENCE))
        .expect("a time");
    let read = std::io::Read::read(&mut refused, &mut [0; 16]);
    assert!(!matches!(read, Ok(1..)), "{read:?}");
    drop(held);
    // A place is free as soon as the server has seen that one has left.
    let free = |_: &u32| {
        let mut stream = open();
        stream
            .set_read_timeout(Some(super::PATIENCE))
            .expect("a time");
        let request = format!("GET /healthz HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
        std::io::Write::write_all(&mut stream, request.as_bytes()).ok();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).ok();
        text.contains("200 OK")
    };
    assert!((0..1000).any(|n| free(&n)));
}
