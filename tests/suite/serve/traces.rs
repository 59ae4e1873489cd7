//! Traces: a span for a run, its calls and their attempts, sent to a collector, and handed to actions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use kael_tests::Kael;
use serde_json::{Value, json};

use super::{PATIENCE, Server};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector: its address, and the spans that it gets.
fn collector() -> (String, Receiver<Value>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = format!("http://{}", socket.local_addr().expect("an address"));
    let (spans, inbox) = channel();
    std::thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            for span in take(stream) {
                if spans.send(span).is_err() {
                    return;
                }
            }
        }
    });
    (address, inbox)
}

/// Reads one request of OTLP, and answers it.
fn take(stream: TcpStream) -> Vec<Value> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).expect("a line");
    assert!(line.starts_with("POST /v1/traces HTTP/1.1"), "{line}");
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).expect("a line");
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        if let Some(value) = lower.strip_prefix("content-type:") {
            assert_eq!(value.trim(), "application/json");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    reader
        .get_mut()
        .write_all(answer.as_bytes())
        .expect("an answer");
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let resource = &request["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0]["value"]["stringValue"],
        "kael"
    );
    let spans = resource["scopeSpans"][0]["spans"].as_array();
    spans.expect("spans").clone()
}

/// The spans of a run, of which the run's own comes last.
fn spans_of_run(inbox: &Receiver<Value>) -> Vec<Value> {
    let mut spans = Vec::new();
    loop {
        let span = inbox.recv_timeout(PATIENCE).expect("a span");
        let is_run = span["name"] == "run script.lua";
        spans.push(span);
        if is_run {
            return spans;
        }
    }
}

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    let found = spans.iter().find(|span| span["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {spans:?}"))
}

fn submit(server: &Server, script: &str, traceparent: Option<&str>) -> String {
    let bearer = format!("Bearer {}", server.token);
    let mut headers = vec![("Authorization", bearer.as_str())];
    headers.extend(traceparent.map(|value| ("traceparent", value)));
    let body = json!({ "script": script }).to_string();
    let run = server
        .send("POST", "/v1/runs", &headers, &body)
        .is(202)
        .json();
    let id = run["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.ended(&id)["state"], "succeeded");
    id
}

fn session(otlp: &str) -> Kael {
    let session = Kael::new();
    let (state, fields) = session.state();
    let show = "echo \"\\\"$TRACEPARENT\\\"\"";
    let flaky = format!("[ -e '{state}/tried' ] && echo 1 && exit; touch '{state}/tried'; exit 1");
    let retried = format!("{fields}, retry = {{ attempts = 2, backoff = '10ms' }}");
    let session = session
        .shell("show", "", show)
        .shell("flaky", &retried, &flaky)
        .file(
            "serve.yaml",
            format!("{otlp}tenants:\n  - {{ name: default, actions: actions }}\n"),
        );
    session.write_repo();
    session
}

#[test]
fn a_run_is_a_part_of_the_trace_of_its_submitter() {
    let (address, inbox) = collector();
    let session = session(&format!("otlp: {{ endpoint: '{address}' }}\n"));
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let script = "print(actions.t.show({})) actions.t.flaky({})";
    let id = submit(&server, script, Some(&header));
    let spans = spans_of_run(&inbox);
    assert!(
        spans.iter().all(|span| span["traceId"] == TRACE),
        "{spans:?}"
    );
    let run = named(&spans, "run script.lua");
    assert_eq!(run["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(run["status"]["code"], 1, "{run}");
    let (show, flaky) = (named(&spans, "t.show"), named(&spans, "t.flaky"));
    let attempts = |call: &Value| -> Vec<Value> {
        let of_call = |span: &&Value| span["parentSpanId"] == call["spanId"];
        spans.iter().filter(of_call).cloned().collect()
    };
    for call in [show, flaky] {
        assert_eq!(call["parentSpanId"], run["spanId"], "{call}");
    }
    let (of_show, of_flaky) = (attempts(show), attempts(flaky));
    assert_eq!((of_show.len(), of_flaky.len()), (1, 2), "{spans:?}");
    assert_eq!(
        of_flaky[0]["status"],
        json!({ "code": 2, "message": "failed" })
    );
    assert_eq!(of_flaky[1]["name"], "attempt 2");
    // The action goes on with the span of its attempt.
    let printed = server.get(&format!("/v1/runs/{id}/output")).body;
    let span = of_show[0]["spanId"].as_str().expect("an id");
    assert_eq!(printed.trim(), format!("00-{TRACE}-{span}-01"));

    // Without a header the run begins a trace that has its id.
    let id = submit(&server, "print(1)", None);
    let run = &spans_of_run(&inbox)[0];
    assert_eq!(run["traceId"], id.replace('-', ""));
    assert!(run["parentSpanId"].is_null(), "{run}");

    // A trace that nobody keeps is handed on, and not sent.
    let id = submit(&server, script, Some(&header.replace("-01", "-00")));
    let printed = server.get(&format!("/v1/runs/{id}/output")).body;
    assert!(printed.trim().ends_with("-00"), "{printed}");
    let last = submit(&server, "print(1)", None);
    assert_eq!(spans_of_run(&inbox)[0]["traceId"], last.replace('-', ""));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_variable_of_the_tenants_own_takes_no_place_of_the_runs_trace() {
    let (address, _inbox) = collector();
    let own = "00-11111111111111111111111111111111-2222222222222222-01";
    let code = "tr '\\0' '\\n' < /proc/$$/environ | grep '^TRACEPARENT='";
    // envyr hands on a variable once whatever it is given.
    let session = Kael::new()
        .env("KAEL_RUNNER", "builtin")
        .shell("own", "env = { 'TRACEPARENT' }, output = 'text'", code)
        .file(
            "serve.yaml",
            format!(
                "otlp: {{ endpoint: '{address}' }}\ntenants:\n  \
                 - {{ name: default, actions: actions, env: {{ TRACEPARENT: '{own}' }} }}\n"
            ),
        );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let id = submit(&server, "print(actions.t.own({}))", Some(&header));
    let printed = server.get(&format!("/v1/runs/{id}/output")).body;
    let lines: Vec<&str> = printed.trim().lines().collect();
    assert_eq!(lines.len(), 1, "{printed}");
    let start = format!("TRACEPARENT=00-{TRACE}-");
    assert!(lines[0].starts_with(&start), "{printed}");
}

#[test]
fn without_a_collector_nothing_is_traced_and_one_that_is_gone_costs_no_run() {
    let session = session("");
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let id = submit(&server, "print(actions.t.show({}))", Some(&header));
    assert_eq!(server.get(&format!("/v1/runs/{id}/output")).body, "\n");
    assert_eq!(server.terminate(), Some(0));
    let session = session.file(
        "serve.yaml",
        "otlp: { endpoint: 'http://127.0.0.1:1' }\ntenants:\n  - { name: default, actions: actions }\n",
    );
    let server = Server::spawn(&session, &["--config", "serve.yaml"]);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.terminate(), Some(0));
}
