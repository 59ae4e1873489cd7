//! Runs of a server that go on after it has died, that wait without a slot, and that people decide on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::{Value, json};

use super::{PATIENCE, Server};

/// Notes its key, and waits until the file `go` is there when it is asked to.
const NOTE: &str = r#"params=$(cat)
echo "$KAEL_CALL $KAEL_ATTEMPT $KAEL_IDEMPOTENCY_KEY" >> "STATE/notes"
case $params in *wait*) while [ ! -e "STATE/go" ]; do sleep 0.02; done ;; esac
echo '{"n":'"$KAEL_CALL"'}'"#;

struct Noting {
    kael: Kael,
    state: PathBuf,
}

impl Noting {
    /// With the action `t.note`, whose definition has these fields.
    fn new(fields: &str) -> Self {
        let kael = Kael::new();
        let (state, writable) = kael.state();
        let code = NOTE.replace("STATE", &state);
        let kael = kael.shell("note", &format!("{writable}, {fields}"), &code);
        kael.write_repo();
        let state = state.into();
        Self { kael, state }
    }

    /// What the action has noted: call, attempt and key.
    fn notes(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.state.join("notes")).unwrap_or_default();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        text.lines().map(words).collect()
    }

    fn go(&self) {
        std::fs::write(self.state.join("go"), "").expect("a file");
    }

    #[track_caller]
    fn wait_for_notes(&self, count: usize) {
        let late = Instant::now() + PATIENCE;
        while self.notes().len() < count {
            assert!(Instant::now() < late, "{:?}", self.notes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Server {
    /// Waits until a run has that state.
    #[track_caller]
    fn until(&self, run: &str, state: &str) -> Value {
        let late = Instant::now() + PATIENCE;
        loop {
            let now = self.get(&format!("/v1/runs/{run}")).is(200).json();
            if now["state"] == state {
                return now;
            }
            assert!(Instant::now() < late && now["ended"].is_null(), "{now}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a call waits for a person: the call, its digest among it.
    fn asked(&self) -> Value {
        let late = Instant::now() + PATIENCE;
        loop {
            let open = self.get("/v1/approvals").is(200).json();
            if let Some(one) = open["approvals"].get(0) {
                return one.clone();
            }
            assert!(Instant::now() < late, "{open}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn output(&self, run: &str) -> String {
        self.get(&format!("/v1/runs/{run}/output")).is(200).body
    }
}

const TWO: &str = "print('begin') local a = actions.t.note({}) print('first', a.n)\n\
                   local b = actions.t.note({ mode = 'wait' }) print('second', b.n) return { a.n, b.n }";

#[test]
fn a_run_goes_on_when_its_server_was_killed() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(TWO);
    noting.wait_for_notes(2);
    server.kill();
    let server = Server::restart(&noting.kael, &token);
    assert_eq!(server.started["resumed"], 1, "{}", server.started);
    noting.go();
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "begin\nfirst\t1\nsecond\t2\n");
    let result = server.get(&format!("/v1/runs/{run}/result")).json();
    assert_eq!(result, json!([1, 2]));
    // The first was not called again; the second was, with its key.
    let notes = noting.notes();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert_eq!(
        (&notes[1][0], &notes[2][0]),
        (&"2".to_owned(), &"2".to_owned())
    );
    assert_eq!(
        (&notes[2][1], &notes[1][2]),
        (&"2".to_owned(), &notes[2][2])
    );
    let calls = server.get(&format!("/v1/runs/{run}/calls")).json();
    let mut calls = calls["calls"].as_array().expect("calls").clone();
    calls.sort_by_key(|call| call["call"].as_u64());
    let outcomes: Vec<_> = calls.iter().map(|call| &call["outcome"]).collect();
    // The server may have died before it had written the end of the first.
    assert_eq!((calls.len(), outcomes[1]), (2, &json!("ok")), "{calls:?}");
    assert!(
        ["ok", "journaled"].contains(&outcomes[0].as_str().unwrap_or("")),
        "{calls:?}"
    );
    // A reader gets all events once, whichever server wrote them.
    let events = server.get(&format!("/v1/runs/{run}/events?wait=1s")).json();
    let all = events["events"].as_array().expect("events");
    let numbers: Vec<i64> = all
        .iter()
        .map(|event| {
            event["id"]
                .as_str()
                .and_then(|id| id.split('-').next())
                .and_then(|seq| seq.parse().ok())
                .expect("a number")
        })
        .collect();
    assert_eq!(numbers, (0..numbers.len() as i64).collect::<Vec<_>>());
    let journal = server.get(&format!("/v1/runs/{run}/journal")).is(200).body;
    assert!(journal.contains("\"kind\":\"takeover\""), "{journal}");
    let rest = server
        .get(&format!("/v1/runs/{run}/journal?from=2"))
        .is(200);
    assert!(rest.header("kael-next").is_none() && journal.ends_with(&rest.body));
    assert_eq!(rest.body.lines().count() + 2, journal.lines().count());
}

#[test]
fn an_effect_that_must_not_repeat_waits_for_a_person() {
    let noting = Noting::new("effects = 'once'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(TWO);
    noting.wait_for_notes(2);
    server.kill();
    let server = Server::restart(&noting.kael, &token);
    let parked = server.until(&run, "parked");
    assert_eq!(parked["reason"], "in_doubt", "{parked}");
    let error = &parked["error"];
    assert_eq!(error["detail"]["call"], 2, "{parked}");
    let key = error["detail"]["key"].as_str().expect("a key");
    assert_eq!(key, noting.notes()[1][2]);
    let hint = error["hint"].as_str().expect("a hint");
    assert!(
        hint.contains(&format!("kael-host resolve {run} 2")),
        "{hint}"
    );
    let refused = server
        .post(&format!("/v1/runs/{run}/resume"), &json!({}))
        .is(409);
    assert_eq!(refused.json()["hint"], error["hint"]);
    for (call, body, status) in [
        (1, json!({ "outcome": "done" }), 404),
        (2, json!({ "outcome": "maybe" }), 422),
    ] {
        server
            .post(&format!("/v1/runs/{run}/calls/{call}/resolve"), &body)
            .is(status);
    }
    // Who follows it is told, and does not wait for ever.
    let mut follows = noting.kael.command();
    follows
        .args(["logs", "-f", &run])
        .env("KAEL_SERVER", format!("http://{}", server.address))
        .env("KAEL_TOKEN", &server.token);
    let followed = follows.output().expect("it ends");
    let stderr = String::from_utf8_lossy(&followed.stderr);
    assert_eq!(followed.status.code(), Some(7), "{stderr}");
    assert!(stderr.contains("kael-host resolve"), "{stderr}");
    let settled = json!({ "outcome": "done", "result": { "n": 7 } });
    server
        .post(&format!("/v1/runs/{run}/calls/2/resolve"), &settled)
        .is(202);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "begin\nfirst\t1\nsecond\t7\n");
    assert_eq!(noting.notes().len(), 2);
    server
        .post(&format!("/v1/runs/{run}/resume"), &json!({}))
        .is(409);
}

#[test]
fn a_run_that_waits_takes_no_slot_and_is_woken_by_a_signal() {
    let session = Kael::new().file(
        "serve.yaml",
        "slots: 1\ntenants:\n  - { name: default, max_running: 1 }\n",
    );
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let run =
        server.submit("status('asks') print('a') local got = wait_for('go') print(got.by, got.n)");
    let waiting = server.until(&run, "waiting");
    assert_eq!(waiting["reason"], "the signal `go`", "{waiting}");
    assert_eq!(waiting["status"], "asks", "{waiting}");
    // The one slot is free.
    let other = server.submit("print('b')");
    assert_eq!(server.ended(&other)["state"], "succeeded");
    assert_eq!(server.output(&run), "a\n");
    let signal = json!({ "payload": { "by": "ann", "n": 3 }, "id": "x" });
    let path = format!("/v1/runs/{run}/signals/go");
    assert_eq!(server.post(&path, &signal).is(202).json()["is_new"], true);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "a\nann\t3\n");
    server.post(&path, &signal).is(409);
    server
        .post(
            "/v1/runs/0197a3c2-0000-7000-8000-000000000000/signals/go",
            &json!({}),
        )
        .is(404);
    // A signal may come before the run asks for it, and before it begins.
    let early = server.post(
        "/v1/runs",
        &json!({ "script": "print(wait_for('go'))", "start_at": "2099-01-01T00:00:00Z" }),
    );
    let early = early.is(202).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    server
        .post(
            &format!("/v1/runs/{early}/signals/go"),
            &json!({ "payload": 1 }),
        )
        .is(202);
    server
        .post(&format!("/v1/runs/{early}/cancel"), &json!({}))
        .is(202);
}

#[test]
fn runs_start_runs_and_wait_for_them() {
    let session = Kael::new();
    let server = Server::start(&session);
    let script = "local child = runs.start({ script = \"print('child', ...) return { n = 2 }\", args = { 'x' }, name = 'child.lua' })\n\
                  print(child.wait and child:wait().n or runs.wait(child).n)";
    let run = server.submit(script);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "2\n");
    let list = server.get("/v1/runs").json();
    let child = &list["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .find(|one| one["name"] == "child.lua")
        .expect("a child")
        .clone();
    assert_eq!(
        (&child["parent"], &child["origin"]),
        (&json!(run), &json!("run"))
    );
    let id = child["id"].as_str().expect("an id");
    assert_eq!(server.output(id), "child\tx\n");
    // A child that waits ends with its parent.
    let script =
        "runs.start({ script = \"wait_for('never')\", name = 'waits.lua' }) wait_for('go')";
    let run = server.submit(script);
    server.until(&run, "waiting");
    let child = || {
        let list = server.get("/v1/runs").json();
        list["runs"]
            .as_array()
            .expect("runs")
            .iter()
            .find(|one| one["name"] == "waits.lua")
            .cloned()
    };
    let late = Instant::now() + PATIENCE;
    while child().is_none_or(|child| child["state"] != "waiting") {
        assert!(Instant::now() < late, "{:?}", child());
        std::thread::sleep(Duration::from_millis(20));
    }
    server
        .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
        .is(202);
    let ended = server.ended(child().expect("a child")["id"].as_str().expect("an id"));
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert_eq!(server.ended(&run)["exit_code"], 143);
}

#[test]
fn a_sleep_outlives_the_server() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    let run = server.submit("print(1) sleep('13s') print(2)");
    assert_eq!(server.until(&run, "waiting")["reason"], "sleep");
    server.kill();
    let server = Server::restart(&session, &token);
    assert_eq!(
        server.get(&format!("/v1/runs/{run}")).json()["state"],
        "waiting"
    );
    assert_eq!(server.ended(&run)["state"], "succeeded");
    assert_eq!(server.output(&run), "1\n2\n");
}

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
