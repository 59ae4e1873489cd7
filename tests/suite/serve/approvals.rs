//! Calls that people must approve, on a server and from the command line.

use serde_json::json;

use super::Server;
use super::noting::Noting;

const POLICY: &str = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    when: { mode: big }\n    reason: it costs money\n    \
                      by: { role: approver, count: 2, not_submitter: true }\n    within: 1h\n";

#[test]
fn a_call_waits_for_people_who_may_approve_it() {
    let noting = Noting::new("effects = 'idempotent'");
    let kael = noting.kael.file("actions/policy.yaml", POLICY);
    let server = Server::start(&kael);
    let token = server.token.clone();
    let [ann, bob, cleo] = ["ann", "bob", "cleo"].map(|name| {
        let body = json!({ "name": name, "role": "approver" });
        server.post("/v1/tokens", &body).is(201).json()["secret"]
            .as_str()
            .expect("a token")
            .to_owned()
    });
    let submitter = server.make_token("default", "submitter");
    let script = "local ok, e = pcall(actions.t.note, { mode = 'big' }) print(ok, ok and e.n or (e.kind .. ' ' .. e.message))";
    let submit = |by: &str| {
        let made = server
            .ask(
                "POST",
                "/v1/runs",
                Some(by),
                &json!({ "script": script, "name": "big.lua" }),
            )
            .is(202);
        made.json()["id"].as_str().expect("an id").to_owned()
    };
    let run = submit(&ann);
    let one = server.asked();
    assert_eq!(
        (&one["run"], &one["call"], &one["params"]),
        (&json!(run), &json!(1), &json!({ "mode": "big" }))
    );
    assert_eq!(
        (&one["count"], &one["not_submitter"], &one["submitter"]),
        (&json!(2), &json!(true), &json!("ann"))
    );
    assert!(
        one["rules"][0]
            .as_str()
            .expect("a rule")
            .contains("it costs money"),
        "{one}"
    );
    server.until(&run, "waiting");
    let calls = server.get(&format!("/v1/runs/{run}/calls")).json();
    assert_eq!(calls["calls"][0]["status"], "started", "{calls}");
    let digest = one["digest"].as_str().expect("a digest").to_owned();
    let decide = |by: &str, call: u32, digest: &str, approve: bool| {
        let body = json!({ "digest": digest, "approve": approve, "note": "looked at" });
        server.ask(
            "POST",
            &format!("/v1/runs/{run}/calls/{call}/decision"),
            Some(by),
            &body,
        )
    };
    // Who may not, and what is none.
    for (by, call, digest, status, kind) in [
        (&submitter, 1, &*digest, 403, "forbidden"),
        (&ann, 1, &digest, 403, "not_allowed"),
        (&bob, 2, &digest, 404, "not_found"),
        (&bob, 1, "ffffffffffff", 409, "digest_changed"),
        (&bob, 1, &digest[..4], 422, "invalid"),
    ] {
        let refused = decide(by, call, digest, true).is(status).json();
        assert_eq!(refused["type"], format!("urn:kael:{kind}"), "{refused}");
    }
    // A token that ann's link has made is ann, too.
    let made = server
        .ask(
            "POST",
            "/v1/login",
            None,
            &json!({ "code": server.code(&ann) }),
        )
        .is(201)
        .json();
    let again = made["secret"].as_str().expect("a token");
    let refused = decide(again, 1, &digest, true).is(403).json();
    assert_eq!(refused["type"], "urn:kael:not_allowed", "{refused}");
    let left = decide(&bob, 1, &digest[..16], true).is(200).json();
    assert_eq!(
        left["approvals"][0]["approved_by"],
        json!(["bob"]),
        "{left}"
    );
    let refused = decide(&bob, 1, &digest, true).is(409).json();
    assert_eq!(refused["type"], "urn:kael:already_decided", "{refused}");
    // A yes is there after a restart.
    assert!(noting.state.join("notes").metadata().is_err());
    drop(server);
    let server = Server::restart(&kael, &token);
    let body = json!({ "digest": digest, "approve": true });
    server
        .ask(
            "POST",
            &format!("/v1/runs/{run}/calls/1/decision"),
            Some(&cleo),
            &body,
        )
        .is(200);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "true\t1\n");
    let audit = server.get("/v1/audit").json().to_string();
    assert!(
        audit.contains("call.decide") && audit.contains("looked at"),
        "{audit}"
    );
    // One no is enough, and the script catches it.
    let made = server
        .ask(
            "POST",
            "/v1/runs",
            Some(&submitter),
            &json!({ "script": script }),
        )
        .is(202);
    let run = made.json()["id"].as_str().expect("an id").to_owned();
    let one = server.asked();
    assert_eq!(one["last_approved"], json!({ "mode": "big" }), "{one}");
    let body = json!({ "digest": one["digest"], "approve": false, "note": "not on a Friday" });
    server
        .ask(
            "POST",
            &format!("/v1/runs/{run}/calls/1/decision"),
            Some(&bob),
            &body,
        )
        .is(200);
    server.ended(&run);
    let output = server.output(&run);
    assert!(
        output.starts_with("false\tdenied") && output.contains("not on a Friday"),
        "{output}"
    );
}

#[test]
fn who_submitted_a_run_stays_known_when_the_token_is_gone() {
    let noting = Noting::new("effects = 'idempotent'");
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    by: { role: approver, not_submitter: true }\n";
    let kael = noting.kael.file("actions/policy.yaml", policy);
    let server = Server::start(&kael);
    let ann = server.make_token("default", "approver");
    // A second token of the same person submits, and is taken away.
    let code = json!({ "code": server.code(&ann) });
    let made = server.ask("POST", "/v1/login", None, &code).is(201).json();
    let second = made["secret"].as_str().expect("a token");
    let script = json!({ "script": "print(actions.t.note({}).n)" });
    let run = server
        .ask("POST", "/v1/runs", Some(second), &script)
        .is(202)
        .json();
    let path = format!(
        "/v1/runs/{}/calls/1/decision",
        run["id"].as_str().expect("an id")
    );
    let body = json!({ "digest": server.asked()["digest"], "approve": true });
    let me = server
        .ask("GET", "/v1/me", Some(second), &json!(null))
        .json();
    let token = me["token"].as_str().expect("an id");
    let gone = format!("/v1/tokens/{token}");
    server
        .ask("DELETE", &gone, Some(&server.token), &json!(null))
        .is(204);
    let refused = server.ask("POST", &path, Some(&ann), &body).is(403).json();
    assert_eq!(refused["type"], "urn:kael:not_allowed", "{refused}");
    let bob = server.make_token("default", "approver");
    server.ask("POST", &path, Some(&bob), &body).is(200);
}

#[test]
fn a_rule_may_want_more_than_an_approver() {
    let noting = Noting::new("effects = 'idempotent'");
    let policy =
        "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    by: { role: manager }\n";
    let kael = noting.kael.file("actions/policy.yaml", policy);
    let server = Server::start(&kael);
    let run = server.submit("print(actions.t.note({}).n)");
    let body = json!({ "digest": server.asked()["digest"], "approve": true });
    let path = format!("/v1/runs/{run}/calls/1/decision");
    let decide = |role: &str| {
        let token = server.make_token("default", role);
        server.ask("POST", &path, Some(&token), &body)
    };
    let refused = decide("approver").is(403).json();
    assert_eq!(refused["type"], "urn:kael:not_allowed", "{refused}");
    assert!(noting.state.join("notes").metadata().is_err());
    decide("manager").is(200);
    assert_eq!(server.ended(&run)["state"], "succeeded");
    assert_eq!(server.output(&run), "1\n");
}

#[test]
fn parameters_that_are_too_large_to_be_kept_are_not_asked_about() {
    let noting = Noting::new("effects = 'idempotent'");
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n";
    let kael = noting.kael.file("actions/policy.yaml", policy);
    let server = Server::start(&kael);
    let run = server.submit(
        "local ok, e = pcall(actions.t.note, { mode = ('x'):rep(1 << 20) }) print(ok, e.kind, e.message)",
    );
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let output = server.output(&run);
    assert!(
        output.starts_with("false\tdenied\t") && output.contains("at most 1048576 are kept"),
        "{output}"
    );
    assert!(noting.state.join("notes").metadata().is_err());
}

#[test]
fn what_waits_is_seen_and_moved_from_the_command_line() {
    let noting = Noting::new("effects = 'idempotent'");
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    reason: ask first\n";
    let kael = noting.kael.file("actions/policy.yaml", policy);
    let server = Server::start(&kael);
    let client = |words: &[&str]| {
        let mut command = kael.command();
        command
            .args(words)
            .env("KAEL_SERVER", format!("http://{}", server.address))
            .env("KAEL_TOKEN", &server.token);
        let output = command.output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code().unwrap_or(-1),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let run = server.submit("print(actions.t.note({}).n) print(wait_for('go'))");
    let digest = server.asked()["digest"].as_str().expect("a digest")[..16].to_owned();
    let (code, listed, _) = client(&["approvals"]);
    assert_eq!(code, 0);
    for part in [
        &*format!("{run} call 1: t.note"),
        "ask first",
        &format!("kael-host approve {run} 1 {digest}"),
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    let (code, _, stderr) = client(&["approve", &run, "1", "ffffffffffff"]);
    assert!(code == 2 && stderr.contains("look at it again"), "{stderr}");
    let approved = client(&["approve", &run, "1", &digest, "--note", "fine"]);
    assert_eq!(
        approved,
        (0, format!("{run} call 1: approved\n"), String::new())
    );
    server.until(&run, "waiting");
    let (code, _, stderr) = client(&["signal", &run, "go", "no json"]);
    assert!(code == 2 && stderr.contains("JSON is no JSON"), "{stderr}");
    assert_eq!(
        client(&["signal", &run, "go", "\"now\""]).1,
        format!("{run} has the signal\n")
    );
    server.ended(&run);
    assert_eq!(server.output(&run), "1\nnow\n");
    let (code, _, stderr) = client(&["resume", &run]);
    assert!(
        code == 2 && stderr.contains("only a parked run is resumed"),
        "{stderr}"
    );
    let (code, _, stderr) = client(&["resolve", &run, "1", "done", "--result", "{}"]);
    assert!(
        code == 2 && stderr.contains("no call of it is in doubt"),
        "{stderr}"
    );
    assert_eq!(client(&["approvals"]).1, "no call waits for an approval\n");
}
