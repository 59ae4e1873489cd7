//! `POST /mcp`: what a client gets with the token of a tenant, and what it does not get.

use kael_tests::{Kael, project};
use serde_json::{Value, json};

use super::{Answer, Server};

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");

/// Sends one message, with more headers.
fn send(server: &Server, token: Option<&str>, more: &[(&str, &str)], message: &Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![ACCEPT];
    headers.extend(
        bearer
            .iter()
            .map(|bearer| ("Authorization", bearer.as_str())),
    );
    headers.extend_from_slice(more);
    server.send("POST", "/mcp", &headers, &message.to_string())
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// The structured content of a tool's answer.
fn call(server: &Server, token: &str, tool: &str, arguments: &Value) -> Value {
    let message = request(
        "tools/call",
        &json!({ "name": tool, "arguments": arguments }),
    );
    let answer = send(server, Some(token), &[], &message).is(200).json();
    answer["result"]["structuredContent"].clone()
}

/// A server with a tenant that has the actions of an example, and another.
fn server() -> (Server, String, String) {
    let server = Server::owning(Kael::new());
    let actions = project("examples/hello/actions").display().to_string();
    server.make_tenant("acme", &json!({ "actions": actions }));
    server.make_tenant("other", &json!({}));
    let acme = server.make_token("acme", "submitter");
    let other = server.make_token("other", "submitter");
    (server, acme, other)
}

#[test]
fn a_client_works_with_the_tenant_of_its_token() {
    let (server, acme, other) = server();
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "x", "version": "1" },
    });
    let begun = send(&server, Some(&acme), &[], &request("initialize", &hello)).is(200);
    assert!(begun.header("mcp-session-id").is_none(), "{}", begun.head);
    assert_eq!(begun.json()["result"]["serverInfo"]["name"], "kael-host");
    let list = send(
        &server,
        Some(&acme),
        &[],
        &request("tools/list", &json!({})),
    );
    let list = list.is(200).json();
    let tools = list["result"]["tools"].as_array().expect("tools");
    let names: Vec<_> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["check", "describe", "result", "run", "search"]);
    let found = call(&server, &acme, "search", &json!({ "query": "count words" }));
    assert_eq!(found["actions"][0]["name"], "text.wordcount", "{found}");
    let told = call(
        &server,
        &acme,
        "describe",
        &json!({ "names": ["text.wordcount"] }),
    );
    assert!(told["actions"][0]["call"].is_string(), "{told}");
    let code = "print('hi') return actions.text.wordcount({ text = 'a b' }).words";
    let ran = call(&server, &acme, "run", &json!({ "code": code }));
    assert_eq!(
        (&ran["status"], &ran["result"]),
        (&"done".into(), &2.into()),
        "{ran}"
    );
    assert_eq!(
        (&ran["output"], &ran["calls"][0]["ok"]),
        (&"hi\n".into(), &true.into()),
        "{ran}"
    );
    // It is a run like any other, and of this tenant alone.
    let id = ran["run"].as_str().expect("an id");
    let path = format!("/v1/runs/{id}");
    let run = server
        .ask("GET", &path, Some(&acme), &Value::Null)
        .is(200)
        .json();
    assert_eq!(run["origin"], "mcp", "{run}");
    let again = call(
        &server,
        &acme,
        "result",
        &json!({ "run": id, "part": "output" }),
    );
    assert_eq!(again["text"], "hi\n", "{again}");
    let away = call(&server, &other, "result", &json!({ "run": id }));
    assert_eq!(away["status"], "invalid", "{away}");
    let none = call(&server, &other, "search", &json!({}));
    assert_eq!(none["found"], 0, "{none}");
}

#[test]
fn a_script_is_checked_and_fails_as_it_does_elsewhere() {
    let (server, acme, _) = server();
    let wrong = call(
        &server,
        &acme,
        "run",
        &json!({ "code": "return actions.text.wordcuont({})" }),
    );
    assert_eq!(wrong["status"], "invalid", "{wrong}");
    let failed = call(&server, &acme, "run", &json!({ "code": "error('no')" }));
    assert_eq!(
        (&failed["status"], &failed["error"]["kind"]),
        (&"failed".into(), &"script".into())
    );
    let late = call(
        &server,
        &acme,
        "run",
        &json!({ "code": "while true do end", "timeout": 0.2 }),
    );
    assert_eq!(late["error"]["kind"], "limit", "{late}");
    let long = call(
        &server,
        &acme,
        "run",
        &json!({ "code": "print(string.rep('x', 100000))" }),
    );
    assert_eq!(long["output_cut"]["bytes"], 100_001, "{long}");
    let link = long["output_cut"]["link"].as_str().expect("a link");
    let read = request("resources/read", &json!({ "uri": link }));
    let read = send(&server, Some(&acme), &[], &read).is(200).json();
    let text = read["result"]["contents"][0]["text"]
        .as_str()
        .expect("text");
    assert_eq!(text.len(), 100_001);
}

#[test]
fn who_may_less_or_comes_from_elsewhere_runs_nothing() {
    let (server, acme, _) = server();
    let viewer = server.make_token("acme", "viewer");
    let run = json!({ "code": "return 1" });
    let refused = call(&server, &viewer, "run", &run);
    assert!(
        refused["error"]
            .to_string()
            .contains("needs the role submitter"),
        "{refused}"
    );
    assert!(call(&server, &viewer, "search", &json!({}))["found"].is_number());
    let message = request("tools/call", &json!({ "name": "run", "arguments": run }));
    send(&server, None, &[], &message).is(401);
    send(&server, Some("kael_no-such-token"), &[], &message).is(401);
    let foreign = ("Origin", "https://evil.example");
    send(&server, Some(&acme), &[foreign], &message).is(403);
    let foreign = ("Sec-Fetch-Site", "cross-site");
    send(&server, Some(&acme), &[foreign], &message).is(403);
    let session = ("Cookie", "kael_session=x");
    send(&server, None, &[session], &message).is(401);
    let bearer = format!("Bearer {acme}");
    let token = ("Authorization", bearer.as_str());
    server.send("GET", "/mcp", &[ACCEPT, token], "").is(405);
    let list = server
        .ask("GET", "/v1/runs", Some(&acme), &Value::Null)
        .is(200)
        .json();
    assert_eq!(list["runs"], json!([]));
}

#[test]
fn what_is_no_message_or_too_long_is_refused() {
    let (server, acme, _) = server();
    let bearer = format!("Bearer {acme}");
    let headers = [ACCEPT, ("Authorization", bearer.as_str())];
    for body in ["{", "[]", "{}", "null", "{\"jsonrpc\":\"2.0\"}"] {
        let answer = server.send("POST", "/mcp", &headers, body);
        assert!((400..500).contains(&answer.status), "{body}: {answer:?}");
    }
    let long = request(
        "tools/call",
        &json!({ "name": "run", "arguments": { "code": "x".repeat(5 << 20) } }),
    );
    let answer = send(&server, Some(&acme), &[], &long);
    assert!((400..500).contains(&answer.status), "{}", answer.head);
    let deep = "[".repeat(100_000);
    let answer = server.send("POST", "/mcp", &headers, &deep);
    assert!((400..500).contains(&answer.status), "{}", answer.head);
    assert_eq!(
        call(&server, &acme, "run", &json!({ "code": "return 1" }))["result"],
        1
    );
}

#[test]
fn a_hundred_requests_at_once_are_answered_and_tenants_take_turns() {
    let session = Kael::new().file("serve.yaml", "slots: 4\n");
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    server.make_tenant("acme", &json!({}));
    server.make_tenant("other", &json!({}));
    let acme = server.make_token("acme", "submitter");
    let other = server.make_token("other", "submitter");
    let last = |token: &str| {
        let list = server.ask("GET", "/v1/runs?limit=100", Some(token), &Value::Null);
        let list = list.is(200).json();
        let runs = list["runs"].as_array().expect("runs");
        let ended: Vec<_> = runs
            .iter()
            .filter_map(|run| run["ended"].as_str())
            .collect();
        ended.iter().max().map(|&time| time.to_owned())
    };
    let waiting = |token: &str| {
        let list = server.ask("GET", "/v1/runs?limit=100", Some(token), &Value::Null);
        list.is(200).json()["runs"].as_array().map_or(0, Vec::len)
    };
    let ask = |token: &str| {
        let code = json!({ "code": "sleep(0.3) return 1" });
        let ran = call(&server, token, "run", &code);
        assert_eq!(ran["result"], 1, "{ran}");
    };
    std::thread::scope(|scope| {
        for _ in 0..90 {
            scope.spawn(|| ask(&acme));
        }
        while waiting(&acme) < 90 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for _ in 0..10 {
            scope.spawn(|| ask(&other));
        }
    });
    // Those that came last did not wait for all that came before.
    assert!(
        last(&other) < last(&acme),
        "{:?} {:?}",
        last(&other),
        last(&acme)
    );
}

#[test]
fn an_mcp_server_that_is_started_is_kept_for_its_tenant() {
    let session = crate::mcp::servers::repo(&[]).file("mode", "structured");
    let server = Server::start(&session);
    let actions = session.path().join("actions").display().to_string();
    for tenant in ["acme", "other"] {
        server.make_tenant(tenant, &json!({ "actions": actions }));
        let token = server.make_token(tenant, "submitter");
        // The server counts its calls.
        let code = json!({ "code": "return actions.peer.echo({ text = 'x' }).calls" });
        for count in [1, 2] {
            let ran = call(&server, &token, "run", &code);
            assert_eq!(ran["result"], count, "{tenant}: {ran}");
        }
    }
}

/// A message of a client of 2026 that can show a person an address, with its headers.
fn of_2026(server: &Server, token: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "url": {} } },
    });
    let name = params["name"].as_str().expect("a name").to_owned();
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", name.as_str()),
    ];
    let message = request("tools/call", &params);
    send(server, Some(token), &headers, &message).json()
}

#[test]
fn a_call_that_people_approve_sends_the_client_to_the_page() {
    let policy = "version: 1\ndefault: allow\nrules: [{ approve: t.note, reason: it costs }]\n";
    let noting = super::noting::Noting::new("effects = 'once'");
    let kael = noting.kael.file("actions/policy.yaml", policy);
    let server = Server::start(&kael);
    let operator = server.token.clone();
    let mcp = server.make_token("default", "submitter");
    let stranger = server.make_token("default", "submitter");
    let code = json!({ "code": "return actions.t.note({ mode = 'big' }).n" });
    let decide = |run: &str| {
        let one = server.asked();
        assert_eq!(one["run"], run, "{one}");
        let path = format!("/v1/runs/{run}/calls/1/decision");
        let body = json!({ "digest": one["digest"], "approve": true });
        server.ask("POST", &path, Some(&operator), &body).is(200);
    };

    // A client that cannot show an address is told who decides, and where.
    let told = call(&server, &mcp, "run", &code);
    assert_eq!(told["status"], "waiting", "{told}");
    let one = &told["approvals"][0];
    assert_eq!(
        (&one["action"], &one["params"]["mode"]),
        (&json!("t.note"), &json!("big")),
        "{told}"
    );
    let hint = told["hint"].as_str().expect("a hint");
    assert!(hint.contains("/approvals"), "{hint}");
    let run = told["run"].as_str().expect("an id");
    decide(run);
    let ask = json!({ "run": run, "wait": 25 });
    assert_eq!(call(&server, &mcp, "result", &ask)["result"], 1);

    // One that can comes back with what was sealed, and the run goes on when people have decided.
    let answer = of_2026(&server, &mcp, &json!({ "name": "run", "arguments": code }));
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    let shown = &result["inputRequests"]["approval"]["params"];
    let url = shown["url"].as_str().expect("an address");
    assert_eq!(url, format!("http://{}/approvals", server.address));
    assert!(
        shown["message"]
            .as_str()
            .is_some_and(|text| text.contains("it costs")),
        "{shown}"
    );
    let accepted = json!({ "approval": { "action": "accept", "content": { "approve": true } } });
    let back = |token: &str, state: &Value| {
        let params = json!({
            "name": "run", "arguments": code, "requestState": state, "inputResponses": accepted,
        });
        of_2026(&server, token, &params)
    };
    // It is nobody else's, and what was changed on the way is nothing.
    let state = &result["requestState"];
    let stolen = back(&stranger, state);
    assert!(stolen["error"].is_object(), "{stolen}");
    let forged = state.as_str().expect("a state").to_owned() + "A";
    assert!(back(&mcp, &json!(forged))["error"].is_object());
    let run = server.asked()["run"].as_str().expect("an id").to_owned();
    let answer = std::thread::scope(|scope| {
        let waits = scope.spawn(|| back(&mcp, state));
        // What the client says of the form decides nothing: a run that has been submitted, run and ended meanwhile shows
        // that there was time for it.
        let other = server.submit("print(1)");
        server.ended(&other);
        assert!(!waits.is_finished());
        assert_eq!(server.asked()["run"], run);
        decide(&run);
        waits.join().expect("an answer")
    });
    let told = &answer["result"]["structuredContent"];
    assert_eq!(
        (&told["status"], &told["run"]),
        (&json!("done"), &json!(run)),
        "{answer}"
    );
}

#[test]
fn a_run_that_waits_for_a_time_is_waited_for() {
    let (server, acme, _) = server();
    let code = json!({ "code": "sleep(1.5) return 1" });
    let told = call(&server, &acme, "run", &code);
    assert_eq!(told["result"], 1, "{told}");
}
