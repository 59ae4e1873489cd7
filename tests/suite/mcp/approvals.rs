//! A call that a rule wants approved waits for a person, and nothing that a model can say replaces
//! one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::client::Client;
use super::example;

const CODE: &str = "return actions.deploy.scale({ replicas = 12 }).replicas";

fn words(more: &'static [&'static str]) -> Vec<String> {
    let mut words = vec!["--actions".to_owned(), example("deploy"), "mcp".to_owned()];
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}

fn client(new: bool, more: &'static [&'static str], capabilities: Value) -> Client {
    let words = words(more);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match new {
        true => Client::of_2026(Kael::new(), &words, capabilities),
        false => Client::of_2025(Kael::new(), &words, capabilities),
    }
}

/// Sends a request to a page, and returns the answer.
fn http(url: &str, method: &str, headers: &str, body: &str) -> String {
    let rest = url.strip_prefix("http://").expect("http");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let host = if headers.contains("Host:") {
        String::new()
    } else {
        format!("Host: {host}\r\n")
    };
    let request = format!(
        "{method} /{path} HTTP/1.1\r\n{host}{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The address in a line.
fn url(line: &str) -> String {
    line[line.find("http://").expect("an address")..]
        .trim()
        .to_owned()
}

#[test]
fn a_client_that_cannot_ask_waits_for_the_page_and_never_sees_its_address() {
    let mut client = client(false, &[], json!({}));
    let told = client.run(CODE);
    assert_eq!(told["status"], "waiting", "{told}");
    assert_eq!(told["approvals"][0]["action"], "deploy.scale");
    assert!(!told.to_string().contains("http"), "{told}");
    let page = url(&client.line_with("approve or deny"));
    let shown = http(&page, "GET", "", "");
    assert!(shown.contains("&quot;replicas&quot;"), "{shown}");
    assert!(shown.contains("frame-ancestors 'none'"), "{shown}");
    // A page of another origin, and a name that somebody else resolves to this machine.
    let foreign = http(
        &page,
        "POST",
        "Origin: http://evil.example\r\n",
        "decision=approve",
    );
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    let foreign = http(&page, "GET", "Host: evil.example\r\n", "");
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    let guessed = format!(
        "{}/approve/{}",
        &page[..page.rfind("/approve").expect("a path")],
        "0".repeat(64)
    );
    assert!(http(&guessed, "POST", "", "decision=approve").starts_with("HTTP/1.1 404"));
    let decided = http(&page, "POST", "", "decision=approve");
    assert!(decided.contains("The call goes on"), "{decided}");
    let told = client.tool("result", json!({ "run": told["run"], "wait": 25 }));
    assert_eq!(told["result"], 12, "{told}");
    assert!(http(&page, "POST", "", "decision=approve").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_denial_is_an_error_of_the_call() {
    let mut client = client(false, &[], json!({}));
    let told = client.run(CODE);
    let page = url(&client.line_with("approve or deny"));
    http(&page, "POST", "", "decision=deny");
    let told = client.tool("result", json!({ "run": told["run"], "wait": 25 }));
    assert_eq!(told["error"]["kind"], "denied", "{told}");
    assert!(told.to_string().contains("did not approve"), "{told}");
}

#[test]
fn an_old_client_shows_the_address_or_a_form() {
    for (more, capabilities, mode) in [
        (&[][..], json!({ "elicitation": { "url": {} } }), "url"),
        (
            &["--approvals", "form"][..],
            json!({ "elicitation": {} }),
            "form",
        ),
    ] {
        let more: &'static [&'static str] = if more.is_empty() {
            &[]
        } else {
            &["--approvals", "form"]
        };
        let mut client = client(false, more, capabilities);
        let id = client.begin(
            "tools/call",
            json!({ "name": "run", "arguments": { "code": CODE } }),
        );
        let asked = client.next();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        let params = &asked["params"];
        assert!(
            params["message"]
                .as_str()
                .is_some_and(|text| text.contains("replicas")),
            "{params}"
        );
        if mode == "url" {
            assert_eq!(params["mode"], "url", "{params}");
            client.send(
                &json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "accept" } }),
            );
            // To have opened the page is not to have approved.
            http(
                params["url"].as_str().expect("an address"),
                "POST",
                "",
                "decision=approve",
            );
        } else {
            let result = json!({ "action": "accept", "content": { "approve": true } });
            client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }));
        }
        let answer = client.answer(id);
        assert_eq!(
            answer["result"]["structuredContent"]["result"], 12,
            "{answer}"
        );
    }
}

#[test]
fn a_new_client_brings_the_answer_back_once() {
    let mut client = client(
        true,
        &["--approvals", "form"],
        json!({ "elicitation": { "form": {} } }),
    );
    let result = client.call("run", json!({ "code": CODE }));
    assert_eq!(result["resultType"], "input_required", "{result}");
    let state = result["requestState"].as_str().expect("a state").to_owned();
    let again = |state: &str, approve: Value| {
        json!({
            "name": "run", "arguments": { "code": CODE }, "requestState": state,
            "inputResponses": { "approval": { "action": "accept", "content": { "approve": approve } } },
        })
    };
    // What was changed on the way is refused, and decides nothing.
    let mut forged = state.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("text");
    let answer = client.request("tools/call", again(&forged, true.into()));
    assert!(answer["error"]["message"].is_string(), "{answer}");
    let answer = client.request("tools/call", again(&state, true.into()));
    let first = answer["result"]["structuredContent"].clone();
    assert_eq!(first["result"], 12, "{answer}");
    // The same again is the same run, and no second call.
    let answer = client.request("tools/call", again(&state, true.into()));
    assert_eq!(answer["result"]["structuredContent"]["run"], first["run"]);
    assert_eq!(
        answer["result"]["structuredContent"]["calls"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn what_is_not_a_yes_is_a_no() {
    let mut client = client(
        true,
        &["--approvals", "form"],
        json!({ "elicitation": { "form": {} } }),
    );
    for response in [
        json!({ "action": "accept", "content": { "approve": false } }),
        json!({ "action": "accept" }),
        json!({ "action": "decline" }),
        json!({ "action": "cancel", "content": { "approve": true } }),
    ] {
        let result = client.call("run", json!({ "code": CODE }));
        let again = json!({ "name": "run", "requestState": result["requestState"], "inputResponses": { "approval": response } });
        let answer = client.request("tools/call", again);
        assert_eq!(
            answer["result"]["structuredContent"]["error"]["kind"], "denied",
            "{answer}"
        );
    }
}

#[test]
fn a_form_is_shown_only_where_the_operator_wants_it() {
    // By default the software in front of the person is not believed.
    let mut page = client(true, &[], json!({ "elicitation": { "form": {} } }));
    let told = page.run(CODE);
    assert_eq!(told["status"], "waiting", "{told}");
    let mut off = client(
        true,
        &["--approvals", "off"],
        json!({ "elicitation": { "form": {}, "url": {} } }),
    );
    let told = off.run(CODE);
    assert_eq!(told["error"]["kind"], "denied", "{told}");
    let mut form = client(false, &["--approvals", "form"], json!({}));
    let told = form.run(CODE);
    assert!(told.to_string().contains("cannot show a form"), "{told}");
}
