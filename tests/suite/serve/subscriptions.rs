//! Webhooks that go out: what they say, that they come until they are taken, and where they go.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::hooks::hex;

/// One request that a receiver got.
pub(super) struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        let mut found = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str()).expect(name)
    }
}

/// Takes one request, and answers it with a status.
pub(super) fn receive(listener: &TcpListener, status: &str) -> Got {
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
pub(super) fn sending_to(session: &Kael, listener: &TcpListener) -> (Server, String) {
    let server = sending_to_all(session, &[listener]);
    (server, url(listener))
}

/// A server that may send to these ports of this machine.
fn sending_to_all(session: &Kael, listeners: &[&TcpListener]) -> Server {
    session.write_repo();
    let addresses = listeners.iter().map(|listener| listener.local_addr());
    let addresses: Vec<String> = addresses
        .map(|address| format!("\"{}\"", address.expect("an address")))
        .collect();
    let config = format!(
        "deliver_to: [{}]\ntenants:\n  - {{ name: default, actions: actions }}\n",
        addresses.join(", ")
    );
    std::fs::write(session.path().join("serve.yaml"), config).expect("a file");
    Server::start_with(session, &["--config", "serve.yaml"])
}

fn url(listener: &TcpListener) -> String {
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/hook?a=b")
}

/// The run that an event tells of.
pub(super) fn run_of(got: &Got) -> String {
    let event: Value = serde_json::from_str(&got.body).expect("an event");
    event["data"]["run"].as_str().expect("a run").to_owned()
}

/// Whether nobody waits to be taken.
fn is_quiet(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("set");
    let quiet = matches!(listener.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock);
    listener.set_nonblocking(false).expect("set");
    quiet
}

/// Subscribes to the ends of runs.
fn subscribe(server: &Server, token: &str, name: &str, url: &str) -> String {
    let new = json!({ "name": name, "url": url, "events": ["run.finished"] });
    let made = server.ask("POST", "/v1/subscriptions", Some(token), &new);
    let made = made.is(201).json();
    made["id"].as_str().expect("an id").to_owned()
}

/// Submits a script with a token, and waits for its end.
fn run_to_its_end(server: &Server, token: &str) -> String {
    let body = json!({ "script": "print(1)" });
    let run = server.ask("POST", "/v1/runs", Some(token), &body).is(202);
    let id = run.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/runs/{id}?wait=30s");
    let ended = server.ask("GET", &path, Some(token), &Value::Null).is(200);
    assert_eq!(ended.json()["state"], "succeeded", "{}", ended.body);
    id
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
    // Nobody has taken it yet. What the server has sent stands in the listener still.
    server.kill();
    while !is_quiet(&listener) {}
    let _server = Server::restart_with(&session, &token, &["--config", "serve.yaml"]);
    assert_eq!(run_of(&receive(&listener, "200 OK")), run);
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

#[test]
fn a_slow_receiver_holds_up_no_other_tenant() {
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (slow, quick) = (bind(), bind());
    let session = Kael::new().shell("ok", "", "echo 1");
    let server = sending_to_all(&session, &[&slow, &quick]);
    server.make_tenant("acme", &json!({}));
    let acme = server.make_token("acme", "manager");
    // More than are sent at the same time.
    for number in 0..40 {
        subscribe(&server, &acme, &format!("s{number}"), &url(&slow));
    }
    subscribe(&server, &server.token, "quick", &url(&quick));
    run_to_its_end(&server, &acme);
    // The receiver takes them, and does not answer.
    let held: Vec<TcpStream> = (0..4)
        .map(|_| slow.accept().expect("a connection").0)
        .collect();
    let run = run_to_its_end(&server, &server.token);
    assert_eq!(run_of(&receive(&quick, "204 No Content")), run);
    for mut stream in held {
        stream.set_nonblocking(true).expect("set");
        let mut bytes = Vec::new();
        let open = stream.read_to_end(&mut bytes);
        let open = open.expect_err("the server has given up waiting for an answer");
        assert_eq!(open.kind(), ErrorKind::WouldBlock, "{open}");
    }
    assert!(is_quiet(&slow), "a receiver got more than four at once");
}

#[test]
fn a_subscription_that_is_deleted_sends_nothing_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let session = Kael::new().shell("ok", "", "echo 1");
    let (server, url) = sending_to(&session, &listener);
    let id = subscribe(&server, &server.token, "chat", &url);
    for _ in 0..6 {
        run_to_its_end(&server, &server.token);
    }
    // Four are being sent, and two wait for a place.
    let sending: Vec<TcpStream> = (0..4)
        .map(|_| listener.accept().expect("a connection").0)
        .collect();
    let listed = server.get("/v1/subscriptions").is(200).json();
    assert_eq!(listed["subscriptions"][0]["waiting"], 6, "{listed}");
    let path = format!("/v1/subscriptions/{id}");
    server
        .ask("DELETE", &path, Some(&server.token), &Value::Null)
        .is(204);
    for mut stream in sending {
        // An answer is waited for longer than that.
        let short = Some(Duration::from_secs(5));
        stream.set_read_timeout(short).expect("a time");
        stream.read_to_end(&mut Vec::new()).expect("it has ended");
    }
    assert!(is_quiet(&listener), "a deleted subscription goes on");
    subscribe(&server, &server.token, "chat", &url);
    let run = run_to_its_end(&server, &server.token);
    assert_eq!(run_of(&receive(&listener, "204 No Content")), run);
}

#[test]
fn a_disabled_tenant_sends_nothing_until_it_is_enabled() {
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (own, other) = (bind(), bind());
    let session = Kael::new().shell("ok", "", "echo 1");
    let server = sending_to_all(&session, &[&own, &other]);
    server.make_tenant("acme", &json!({}));
    let acme = server.make_token("acme", "manager");
    subscribe(&server, &acme, "chat", &url(&own));
    subscribe(&server, &server.token, "chat", &url(&other));
    let run = run_to_its_end(&server, &acme);
    receive(&own, "500 Internal Server Error");
    let set = |disabled: bool| {
        let body = json!({ "disabled": disabled });
        server.put("/v1/tenants/acme", &body).is(200);
    };
    set(true);
    // What fails later is tried again later.
    let later = run_to_its_end(&server, &server.token);
    receive(&other, "500 Internal Server Error");
    assert_eq!(run_of(&receive(&other, "204 No Content")), later);
    assert!(is_quiet(&own), "a disabled tenant sends");
    set(false);
    assert_eq!(run_of(&receive(&own, "204 No Content")), run);
}
