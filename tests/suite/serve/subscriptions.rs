//! Webhooks that go out: what they say, that they come until they are taken, and where they go.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::hooks::hex;

/// One request that a receiver got.
struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let mut found = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str()).expect(name)
    }
}

/// Takes one request, and answers it with a status.
fn receive(listener: &TcpListener, status: &str) -> Got {
    let (stream, _) = listener.accept().expect("a connection");
    stream
        .set_read_timeout(Some(super::PATIENCE))
        .expect("a time");
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut got = Got {
        headers,
        body: String::new(),
    };
    let length = got.header("content-length").parse().expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    got.body = String::from_utf8(body).expect("text");
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    reader
        .get_mut()
        .write_all(answer.as_bytes())
        .expect("an answer");
    got
}

/// A server that may send to a port of this machine.
fn sending_to(session: &Kael, listener: &TcpListener) -> (Server, String) {
    session.write_repo();
    let address = listener.local_addr().expect("an address").to_string();
    let config = format!(
        "deliver_to: [\"{address}\"]\ntenants:\n  - {{ name: default, actions: actions }}\n"
    );
    std::fs::write(session.path().join("serve.yaml"), config).expect("a file");
    let server = Server::start_with(session, &["--config", "serve.yaml"]);
    (server, format!("http://{address}/hook?a=b"))
}

#[test]
fn the_end_of_a_run_is_told_until_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let new = json!({ "name": "chat", "url": url, "events": ["run.finished"] });
    let made = server.post("/v1/subscriptions", &new).is(201).json();
    let (id, secret) = (
        made["id"].as_str().expect("an id"),
        made["secret"].as_str().expect("a secret"),
    );
    let body = json!({ "script": "print('said') error('no luck')", "name": "a.lua", "labels": { "team": "web" } });
    let run = server.post("/v1/runs", &body).is(202).json();
    // A redirect is no taking: it is not followed, and the delivery comes again.
    let first = receive(&listener, "302 Found");
    let again = receive(&listener, "204 No Content");
    assert_eq!(
        (&first.body, first.header("kael-delivery")),
        (&again.body, again.header("kael-delivery"))
    );
    let event: Value = serde_json::from_str(&again.body).expect("an event");
    assert_eq!(
        (&event["event"], &event["id"]),
        (
            &json!("run.finished"),
            &json!(again.header("kael-delivery"))
        )
    );
    let data = &event["data"];
    assert_eq!(
        (&data["run"], &data["state"], &data["labels"]),
        (&run["id"], &json!("failed"), &json!({ "team": "web" }))
    );
    assert_eq!(data["error"]["message"], "a.lua:1: no luck");
    assert!(!again.body.contains("said"), "{}", again.body);
    // It is signed as one that comes in.
    let signature = again.header("kael-signature");
    let (time, sum) = signature
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .expect("a signature");
    let delivery = again.header("kael-delivery");
    assert_eq!(
        sum,
        hex(secret, &format!("{time}.{delivery}.{}", again.body))
    );
    let begun = std::time::Instant::now();
    loop {
        let list = server.get("/v1/subscriptions").is(200);
        assert!(!list.body.contains(secret), "{}", list.body);
        if list.json()["subscriptions"][0]["last"] == "delivered" {
            break;
        }
        assert!(begun.elapsed() < super::PATIENCE, "{}", list.body);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server
        .ask(
            "DELETE",
            &format!("/v1/subscriptions/{id}"),
            Some(&server.token),
            &Value::Null,
        )
        .is(204);
    server
        .post(&format!("/v1/subscriptions/{id}/resume"), &json!({}))
        .is(404);
}

#[test]
fn a_delivery_outlives_the_server_that_was_to_make_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let token = server.token.clone();
    let new = json!({ "name": "chat", "url": url, "events": ["run.finished"] });
    server.post("/v1/subscriptions", &new).is(201);
    let run = server.submit("print(1)");
    server.ended(&run);
    // Nobody has taken it yet.
    server.kill();
    let server = Server::restart_with(&session, &token, &["--config", "serve.yaml"]);
    let begun = std::time::Instant::now();
    loop {
        assert!(
            begun.elapsed() < super::PATIENCE,
            "{}",
            server.get("/v1/subscriptions").body
        );
        // The first connection is one of the server that is gone.
        let taken = std::panic::catch_unwind(|| receive(&listener, "200 OK"));
        let Ok(got) = taken else { continue };
        let event: Value = serde_json::from_str(&got.body).expect("an event");
        assert_eq!(event["data"]["run"], json!(run));
        break;
    }
}

#[test]
fn an_address_inside_is_refused_unless_the_operator_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let subscribe = |url: &str, events: Value| {
        server.post(
            "/v1/subscriptions",
            &json!({ "name": "a", "url": url, "events": events }),
        )
    };
    for inside in [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://printer/",
        "https://10.0.0.1/",
    ] {
        let refused = subscribe(inside, json!(["run.finished"])).is(422);
        assert!(refused.body.contains("deliver_to"), "{}", refused.body);
    }
    for wrong in [
        "ftp://example.org/",
        "example.org",
        "https://u:p@example.org/",
    ] {
        subscribe(wrong, json!(["run.finished"])).is(422);
    }
    for events in [json!([]), json!(["run.begun"])] {
        subscribe(&url, events).is(422);
    }
    subscribe(&url, json!(["run.finished", "schedule.missed"])).is(201);
    subscribe(&url, json!(["run.finished"])).is(409);
    // A schedule that has missed its fires is told of, too.
    server.store("report", "print(1)");
    let plan = json!({ "cron": "@yearly", "script": "report", "catch_up": "none", "from": "2020-01-01T00:00:00Z" });
    server.put("/v1/schedules/yearly", &plan).is(200);
    let event: Value = serde_json::from_str(&receive(&listener, "200 OK").body).expect("an event");
    assert_eq!(
        (
            &event["event"],
            &event["data"]["schedule"],
            &event["data"]["first"]
        ),
        (
            &json!("schedule.missed"),
            &json!("yearly"),
            &json!("2020-01-01T00:00:00.000Z")
        )
    );
}

#[test]
fn a_run_that_waits_tells_for_what() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let new = json!({ "name": "chat", "url": url, "events": ["run.waiting"] });
    server.post("/v1/subscriptions", &new).is(201);
    let run = server.submit("wait_for('go')");
    let got = receive(&listener, "204 No Content");
    let event: Value = serde_json::from_str(&got.body).expect("an event");
    let data = &event["data"];
    assert_eq!(
        (&event["event"], &data["run"], &data["reason"]),
        (
            &json!("run.waiting"),
            &json!(run),
            &json!("the signal `go`")
        )
    );
}
