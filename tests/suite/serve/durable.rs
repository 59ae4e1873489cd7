//! Runs of a server that go on after it has died, and that wait without a slot.

use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::json;

use super::noting::Noting;
use super::{PATIENCE, Server};

const TWO: &str = "print('begin') local a = actions.t.note({}) print('first', a.n)\n\
                   local b = actions.t.note({ mode = 'wait' }) print('second', b.n) return { a.n, b.n }";

#[test]
fn a_run_goes_on_when_its_server_was_killed() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(TWO);
    noting.wait_for_notes(2);
    // Events of calls are written some milliseconds later: those that were not are only in the journal.
    let path = format!("/v1/runs/{run}/calls");
    let late = Instant::now() + PATIENCE;
    while server.get(&path).json()["calls"].as_array().map(Vec::len) != Some(2) {
        assert!(Instant::now() < late);
        std::thread::sleep(Duration::from_millis(5));
    }
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
fn signals_that_come_at_once_all_reach_a_run() {
    let session = Kael::new().file("serve.yaml", "slots: 1\n");
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let run = server.submit(
        "local all = {} for i = 1, 20 do all[i] = wait_for('go') end print(table.concat(all, ' '))",
    );
    server.until(&run, "waiting");
    let path = format!("/v1/runs/{run}/signals/go");
    for n in 1..=20 {
        server.post(&path, &json!({ "payload": n })).is(202);
    }
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let all: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    assert_eq!(server.output(&run), format!("{}\n", all.join(" ")));
    // It is in the queue once at a time: the slot is free, and nothing of it is left.
    let after = server.submit("print('after')");
    assert_eq!(server.ended(&after)["state"], "succeeded");
    let load = server.get("/v1/tenant").json()["load"].clone();
    assert_eq!((&load["running"], &load["queued"]), (&json!(0), &json!(0)));
}

#[test]
fn a_run_cannot_be_started_with_more_than_is_kept_of_it() {
    let server = Server::owning(Kael::new());
    let run = server.submit(
        "local ok, e = pcall(runs.start, { script = '--' .. ('x'):rep(8 << 20) }) print(ok, e.kind, e.message)",
    );
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let output = server.output(&run);
    assert!(
        output.starts_with("false\tinvalid_params\t")
            && output.contains("have 8388610 bytes together, and may have 8388608"),
        "{output}"
    );
    let list = server.get("/v1/runs").json();
    assert_eq!(list["runs"].as_array().map(Vec::len), Some(1), "{list}");
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

#[test]
fn a_run_that_takes_the_place_of_another_runs_and_is_waited_for() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let script = "print(runs.start { script = \"runs.continue_as { script = 'return 7' }\", wait = true })\n\
                  runs.continue_as { script = 'print(actions.t.note({}).n)' }";
    let run = server.submit(script);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(server.output(&run), "7\n");
    let late = Instant::now() + PATIENCE;
    let runs = loop {
        let listed = server.get("/v1/runs").json();
        let runs = listed["runs"].as_array().expect("a list").clone();
        if runs.len() == 4 && runs.iter().all(|run| run["state"] == "succeeded") {
            break runs;
        }
        assert!(Instant::now() < late, "{listed}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(noting.notes().len(), 1);
    // The child and its continuation have the run as their parent; the continuation of the run has none.
    let children = runs.iter().filter(|one| one["parent"] == run.as_str());
    assert_eq!(children.count(), 2, "{runs:?}");
}

/// What a server knew of the calls of a run when it was killed may not have been written: the journal has those with effects.
#[test]
fn calls_of_which_a_killed_server_has_written_nothing_are_listed() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(TWO);
    noting.wait_for_notes(2);
    server.kill();
    let forget = "import pathlib, sqlite3, sys\n\
                  for file in pathlib.Path(sys.argv[1]).rglob('serve.db'):\n\
                  \x20   store = sqlite3.connect(file)\n\
                  \x20   print(file, store.execute('DELETE FROM srv_events WHERE kind IN (3, 4)').rowcount)\n\
                  \x20   store.commit()";
    let forgot = std::process::Command::new("python3")
        .args(["-c", forget])
        .arg(noting.kael.path())
        .output()
        .expect("python3");
    let told = String::from_utf8_lossy(&forgot.stdout);
    assert!(
        forgot.status.success() && told.contains("serve.db"),
        "{forgot:?}"
    );
    let server = Server::restart(&noting.kael, &token);
    noting.go();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let calls = server.get(&format!("/v1/runs/{run}/calls")).json();
    let calls = calls["calls"].as_array().expect("calls");
    let of = |at: usize| {
        (
            &calls[at]["call"],
            &calls[at]["action"],
            &calls[at]["outcome"],
        )
    };
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(of(0), (&json!(1), &json!("t.note"), &json!("journaled")));
    assert_eq!(of(1), (&json!(2), &json!("t.note"), &json!("ok")));
}
