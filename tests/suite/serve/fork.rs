//! New runs of the beginning of others, on a server.

use std::time::Instant;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::house::client;
use super::noting::Noting;
use super::{PATIENCE, Server};

const THREE: &str = "for i = 1, 3 do print(i, actions.t.note({}).n) end return 7";

/// The number of the last entry of a kind, counted from 1.
fn entry(server: &Server, run: &str, kind: &str, nth: usize) -> u64 {
    let lines = server
        .get(&format!("/v1/runs/{run}/journal"))
        .is(200)
        .body
        .clone();
    let mut found = lines.lines().filter_map(|line| {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        (entry["kind"] == kind).then(|| entry["seq"].as_u64().expect("a number"))
    });
    found.nth(nth - 1).unwrap_or_else(|| panic!("{lines}"))
}

#[test]
fn a_fork_goes_on_by_itself_and_calls_what_follows() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let body = json!({ "script": THREE, "labels": { "team": "web" } });
    let run = server.post("/v1/runs", &body).is(202).json();
    let run = run["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let at = entry(&server, &run, "outcome", 1);
    let path = format!("/v1/runs/{run}/fork");
    let answer = server.post(&path, &json!({ "at": at })).is(202);
    let location = answer.header("location").expect("a place").to_owned();
    let fork = answer.json();
    let id = fork["id"].as_str().expect("an id").to_owned();
    assert_eq!(location, format!("/v1/runs/{id}"));
    assert_eq!(
        (&fork["origin"], &fork["labels"]["team"]),
        (&json!("fork"), &json!("web")),
        "{fork}"
    );
    let ended = server.ended(&id);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&id), "1\t1\n2\t2\n3\t3\n");
    assert_eq!(
        server.get(&format!("/v1/runs/{id}/result")).json(),
        json!(7)
    );
    let notes = noting.notes();
    let calls: Vec<&str> = notes.iter().map(|note| &*note[0]).collect();
    assert_eq!(calls, ["1", "2", "3", "2", "3"]);
    let audit = server.get("/v1/audit").is(200).json();
    let forks = audit["entries"].as_array().expect("entries").iter();
    let forks = forks.filter(|entry| entry["what"] == "run.fork" && entry["detail"]["fork"] == id);
    assert_eq!(forks.count(), 1, "{audit}");
    // From the command line, with another script.
    let kael = &noting.kael;
    let mended = kael.path().join("mended.lua");
    std::fs::write(&mended, "print(1, actions.t.note({}).n) print('mended')").expect("a file");
    let at = entry(&server, &run, "turn", 1).to_string();
    let words = ["fork", &run, "--at", &at, "--script", "mended.lua"];
    let (code, stdout, stderr) = client(kael, &server, &words);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let mended = stdout.trim().to_owned();
    let ended = server.ended(&mended);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&mended), "1\t1\nmended\n");
    // One that asks for something else is parked.
    let other =
        json!({ "at": entry(&server, &run, "turn", 1), "script": "actions.t.note({ a = 1 })" });
    let parked = server.post(&path, &other).is(202).json();
    let parked = server.until(parked["id"].as_str().expect("an id"), "parked");
    assert_eq!(parked["reason"], "diverged", "{parked}");
    assert_eq!(noting.notes().len(), 5);
}

#[test]
fn what_cannot_be_forked_is_refused_with_the_reason() {
    let noting = Noting::new("effects = 'once'");
    let server = Server::start(&noting.kael);
    let run = server.submit("actions.t.note({}) actions.t.note({ mode = 'wait' })");
    noting.wait_for_notes(2);
    let path = format!("/v1/runs/{run}/fork");
    let at = entry(&server, &run, "intent", 2);
    let refused = server.post(&path, &json!({ "at": at })).is(409).json();
    assert_eq!(refused["type"], "urn:kael:wrong_state", "{refused}");
    let detail = refused["detail"].as_str().expect("a text");
    assert!(
        detail.contains("call 2 of t.note had begun by then") && refused["hint"].is_string(),
        "{refused}"
    );
    let beyond = server
        .post(&path, &json!({ "at": 1_u64 << 40 }))
        .is(409)
        .json();
    let detail = beyond["detail"].as_str().expect("a text");
    assert!(detail.contains("its journal ends with entry"), "{beyond}");
    server
        .post(&path, &json!({ "at": 0, "script": "x =" }))
        .is(422);
    server.post(&path, &json!({ "at": -1 })).is(422);
    server.post(&path, &json!({ "at": 0, "more": 1 })).is(422);
    server.post(&path, &json!({})).is(422);
    server
        .post(
            "/v1/runs/0197a3c2-0000-7000-8000-000000000000/fork",
            &json!({ "at": 0 }),
        )
        .is(404);
    let viewer = server.make_token("default", "viewer");
    server
        .ask("POST", &path, Some(&viewer), &json!({ "at": 0 }))
        .is(403);
    server.make_tenant("acme", &json!({}));
    let acme = server.make_token("acme", "manager");
    server
        .ask("POST", &path, Some(&acme), &json!({ "at": 0 }))
        .is(404);
    let (code, _, stderr) = client(&noting.kael, &server, &["fork", &run, "--at", "99999"]);
    assert!(
        code == 2 && stderr.contains("its journal ends with entry"),
        "{code} {stderr}"
    );
    // A fork of a run that goes on, of its beginning.
    let fork = server.post(&path, &json!({ "at": 0 })).is(202).json();
    noting.go();
    for id in [run.as_str(), fork["id"].as_str().expect("an id")] {
        assert_eq!(server.ended(id)["state"], "succeeded");
    }
    assert_eq!(noting.notes().len(), 4);
}

/// The limits of the first run were those of the tenant then.
#[test]
fn a_fork_stays_within_what_its_tenant_may_use_now() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    let token = server.make_token("acme", "submitter");
    let ask = |method: &str, path: &str, body: &Value| {
        let path = format!("/v1/runs{path}");
        server.ask(method, &path, Some(&token), body)
    };
    let over = |run: &Value| {
        let path = format!("/{}?wait=10s", run["id"].as_str().expect("an id"));
        let late = Instant::now() + 3 * PATIENCE;
        loop {
            let run = ask("GET", &path, &Value::Null).is(200).json();
            if run["ended"].is_string() {
                return run;
            }
            assert!(Instant::now() < late, "{run}");
        }
    };
    let script = "for _ = 1, 3 do print(('x'):rep(1000)) sleep(0.001) end";
    let run = ask("POST", "", &json!({ "script": script })).is(202).json();
    assert_eq!(over(&run)["state"], "succeeded");
    let path = format!("/{}/fork", run["id"].as_str().expect("an id"));
    server.make_tenant("acme", &json!({ "limits": { "output": "2KiB" } }));
    let fork = ask("POST", &path, &json!({ "at": 0 })).is(202).json();
    let ended = over(&fork);
    assert_eq!(
        (&ended["state"], &ended["error"]["limit"]),
        (&json!("failed"), &json!("output")),
        "{ended}"
    );
    // Its memory is a part of what a run is, and is not made smaller.
    server.make_tenant("acme", &json!({ "limits": { "memory": "64MiB" } }));
    let refused = ask("POST", &path, &json!({ "at": 0 })).is(409).json();
    assert_eq!(
        refused["detail"],
        "the run may use 256 MiB of memory, which its fork keeps, and a run of this tenant may use 64 MiB"
    );
    assert!(refused["hint"].is_string(), "{refused}");
    server.make_tenant("acme", &json!({}));
    let fork = ask("POST", &path, &json!({ "at": 0 })).is(202).json();
    assert_eq!(over(&fork)["state"], "succeeded");
}
