//! Webhooks that come in: who is believed, and what becomes of what they send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, Mac as _};
use kael_tests::Kael;
use serde_json::{Value, json};
use sha2::Sha256;

use super::scripts::printed;
use super::{Answer, Server};

/// A webhook of the operator's tenant over a script that prints what it gets: its path and its secret.
pub(super) fn hook(server: &Server) -> (String, String) {
    server.store(
        "take",
        "local about = json.decode(arg[2]) print(arg[1], about.event, about.delivery, about.hook)",
    );
    let made = server
        .post("/v1/hooks", &json!({ "name": "deploys", "script": "take" }))
        .is(201)
        .json();
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    let url = text("url");
    let (_, path) = url.split_at(url.find("/v1/").expect("a path"));
    assert_eq!(path, format!("/v1/hooks/in/{}", text("id")));
    (path.to_owned(), text("secret"))
}

pub(super) fn hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(text.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn seconds() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a time");
    since.as_secs()
}

/// Sends as Kael signs it.
pub(super) fn send(
    server: &Server,
    path: &str,
    secret: &str,
    delivery: &str,
    body: &str,
) -> Answer {
    let now = seconds();
    let signature = format!(
        "t={now},v1={}",
        hex(secret, &format!("{now}.{delivery}.{body}"))
    );
    let headers = [
        ("Kael-Signature", signature.as_str()),
        ("Kael-Delivery", delivery),
    ];
    server.send("POST", path, &headers, body)
}

#[test]
fn a_signed_delivery_becomes_a_run_once() {
    let server = Server::owning(Kael::new());
    let (path, secret) = hook(&server);
    let body = r#"{"ref":"main"}"#;
    let taken = send(&server, &path, &secret, "d-1", body).is(202).json();
    let run = taken["run"].as_str().expect("a run").to_owned();
    assert_eq!(
        printed(&server, &run),
        "{\"ref\":\"main\"}\tnil\td-1\tdeploys\n"
    );
    let shown = server.get(&format!("/v1/runs/{run}")).is(200).json();
    assert_eq!(shown["origin"], "hook deploys");
    // Sent again it is the same run; another body under its id is none.
    assert_eq!(
        send(&server, &path, &secret, "d-1", body).is(202).json()["run"],
        json!(run)
    );
    send(&server, &path, &secret, "d-1", "{}").is(409);
    assert_ne!(
        send(&server, &path, &secret, "d-2", body).is(202).json()["run"],
        json!(run)
    );
    // No submitter gets to it by a key of its own.
    let bearer = format!("Bearer {}", server.token);
    let id = path.rsplit('/').next().expect("an id");
    let key = format!("{id} d-1");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", key.as_str()),
    ];
    server
        .send(
            "POST",
            "/v1/runs",
            &headers,
            &json!({ "script": "print(1)" }).to_string(),
        )
        .is(202);
    // As GitHub sends it: the body alone is signed.
    let github = format!("sha256={}", hex(&secret, "text"));
    let headers = [
        ("X-Hub-Signature-256", github.as_str()),
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "g-1"),
    ];
    let taken = server.send("POST", &path, &headers, "text").is(202).json();
    assert_eq!(
        server.send("POST", &path, &headers, "text").is(202).json(),
        taken
    );
    assert_eq!(
        printed(&server, taken["run"].as_str().expect("a run")),
        "text\tpush\tg-1\tdeploys\n"
    );
    let list = server.get("/v1/hooks").is(200);
    assert!(!list.body.contains(&secret), "{}", list.body);
    assert_eq!(list.json()["hooks"][0]["name"], "deploys");
    let metrics = server.get("/metrics").is(200).body;
    assert!(
        metrics.contains("kael_hook_deliveries_total{outcome=\"taken\"}"),
        "{metrics}"
    );
}

#[test]
fn who_signs_wrongly_late_or_not_at_all_runs_nothing() {
    let server = Server::owning(Kael::new());
    let (path, secret) = hook(&server);
    let now = seconds();
    let signed = |at: u64, secret: &str, text: &str| format!("t={at},v1={}", hex(secret, text));
    let right = |at: u64| signed(at, &secret, &format!("{at}.d.x"));
    let old = right(now - 400);
    let future = right(now + 400);
    let other = signed(now, "kael_hook_other", &format!("{now}.d.x"));
    let body = signed(now, &secret, &format!("{now}.d.y"));
    let moved = right(now).replace(&now.to_string(), &(now + 1).to_string());
    let mut answers = Vec::new();
    for signature in [
        old.as_str(),
        &future,
        &other,
        &body,
        &moved,
        "",
        "t=1",
        "v1=00",
        "x",
    ] {
        let headers = [("Kael-Signature", signature), ("Kael-Delivery", "d")];
        answers.push(server.send("POST", &path, &headers, "x").is(401).body);
    }
    answers.push(server.send("POST", &path, &[], "x").is(401).body);
    answers.push(
        server
            .send("POST", &path, &[("X-Hub-Signature-256", "sha256=00")], "x")
            .is(401)
            .body,
    );
    // A token is no signature.
    let bearer = format!("Bearer {}", server.token);
    answers.push(
        server
            .send("POST", &path, &[("Authorization", &bearer)], "x")
            .is(401)
            .body,
    );
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "an answer says which of them was wrong: {answers:?}"
    );
    // The delivery is signed, too.
    let signature = right(now);
    server
        .send(
            "POST",
            &path,
            &[("Kael-Signature", &signature), ("Kael-Delivery", "e")],
            "x",
        )
        .is(401);
    for gone in [
        "/v1/hooks/in/x",
        "/v1/hooks/in/00000000-0000-7000-8000-000000000000",
    ] {
        send(&server, gone, &secret, "d", "x").is(404);
    }
    assert_eq!(server.get("/v1/runs").is(200).json()["runs"], json!([]));
    // A name of the server that somebody made up, and a page of another site.
    let raw = format!("POST {path} HTTP/1.0\r\nHost: evil.example\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(server.raw(&raw).status, 403);
    // Deleted, it is not there.
    let id = path.rsplit('/').next().expect("an id");
    server
        .ask(
            "DELETE",
            &format!("/v1/hooks/{id}"),
            Some(&server.token),
            &Value::Null,
        )
        .is(204);
    send(&server, &path, &secret, "d", "x").is(404);
}

#[test]
fn a_delivery_has_bounds_and_the_quotas_of_its_tenant() {
    let session = Kael::new().shell("wait", "", "sleep 600").file(
        "serve.yaml",
        "tenants:\n  - { name: default, actions: actions, max_running: 1, max_queued: 1 }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let (path, secret) = hook(&server);
    // The largest body that there may be arrives whole.
    let large = "x".repeat(1 << 20);
    server.store("take", "print(#arg[1])");
    let run = send(&server, &path, &secret, "large", &large)
        .is(202)
        .json();
    assert_eq!(
        printed(&server, run["run"].as_str().expect("a run")),
        "1048576\n"
    );
    send(&server, &path, &secret, "larger", &format!("{large}x")).is(413);
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream
        .set_read_timeout(Some(super::PATIENCE))
        .expect("a time");
    let github = "X-Hub-Signature-256: sha256=00\r\n";
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: {}\r\n{github}Content-Length: 5\r\n\r\nxx",
        server.address
    )
    .expect("sent");
    // It sends no more: the server does not wait for it.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    assert!(answer.contains(" 408 "), "{answer}");
    let first = server.submit("actions.t.wait({})");
    while server.get(&format!("/v1/runs/{first}")).json()["state"] == "queued" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    send(&server, &path, &secret, "q-1", "x").is(202);
    let full = send(&server, &path, &secret, "q-2", "x").is(429);
    assert!(full.header("retry-after").is_some(), "{}", full.head);
}

#[test]
fn who_sends_slowly_holds_up_no_other_tenant() {
    let server = Server::owning(Kael::new());
    let (path, secret) = hook(&server);
    server.make_tenant("acme", &json!({}));
    let acme = server.make_token("acme", "manager");
    let ask = |method: &str, path: &str, body: &Value| server.ask(method, path, Some(&acme), body);
    let script = json!({ "script": "return 1" });
    ask("PUT", "/v1/scripts/take", &script).is(200);
    let new = json!({ "name": "slow", "script": "take" });
    let made = ask("POST", "/v1/hooks", &new).is(201).json();
    let slow = format!("/v1/hooks/in/{}", made["id"].as_str().expect("an id"));
    // More than are read at the same time, of which none comes whole.
    let head = format!(
        "POST {slow} HTTP/1.0\r\nHost: {}\r\nContent-Length: 5\r\n\r\nxx",
        server.address
    );
    let streams: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).expect("a connection");
            stream.write_all(head.as_bytes()).expect("sent");
            stream
        })
        .collect();
    // Before and after the server has looked at all of them.
    for number in 0..50 {
        send(&server, &path, &secret, &format!("d{number}"), "x").is(202);
    }
    // The first of the others waits still.
    for mut stream in streams {
        stream.set_nonblocking(true).expect("set");
        let waits = stream.read(&mut [0; 1]).expect_err("no answer yet");
        assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock, "{waits}");
    }
}

#[test]
fn what_is_signed_is_one_delivery_wherever_it_is_cut() {
    let server = Server::owning(Kael::new());
    let (path, secret) = hook(&server);
    let (now, body) = (seconds(), "{\"version\": 1.5}");
    let text = format!("{now}.d-1.{body}");
    let sum = hex(&secret, &text);
    let kael = format!("t={now},v1={sum}");
    let as_kael = |delivery: &str, body: &str| {
        let headers = [
            ("Kael-Signature", kael.as_str()),
            ("Kael-Delivery", delivery),
        ];
        server.send("POST", &path, &headers, body)
    };
    as_kael("d-1", body).is(202);
    // The same signed text, as another delivery with the rest of the body.
    let (head, rest) = body.split_once('.').expect("a dot");
    as_kael(&format!("d-1.{head}"), rest).is(401);
    // And as the form that has no time.
    let github = format!("sha256={sum}");
    let headers = [
        ("X-Hub-Signature-256", github.as_str()),
        ("X-GitHub-Delivery", "g"),
    ];
    server.send("POST", &path, &headers, &text).is(401);
    let runs = server.get("/v1/runs").is(200).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
}
