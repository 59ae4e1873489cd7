//! Bounds on what a tenant has and waits for, each reached.

use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::{Value, json};

use super::hooks::{hook, send};
use super::subscriptions::{receive, sending_to};
use super::{PATIENCE, Server};

/// Bytes that the operator's tenant has in the store.
fn storage(server: &Server) -> u64 {
    let own = server.get("/v1/tenant").is(200).json();
    own["load"]["storage_bytes"].as_u64().expect("a number")
}

#[test]
fn journals_and_signals_count_for_storage() {
    let session = Kael::new().shell(
        "much",
        "effects = 'none'",
        "printf '\"'; head -c 300000 /dev/zero | tr '\\0' x; printf '\"'",
    );
    let server = Server::owning(session);
    let before = storage(&server);
    // Nothing of that is printed or returned: only the journal has it.
    let run = server.submit("actions.t.much({}) actions.t.much({}) wait_for('go') return 1");
    server.until(&run, "waiting");
    let of_journal = storage(&server);
    assert!(of_journal > before + 600_000, "{before} {of_journal}");
    let payload = "y".repeat((1 << 20) - 100);
    let path = format!("/v1/runs/{run}/signals/other");
    server.post(&path, &json!({ "payload": payload })).is(202);
    let of_signal = storage(&server);
    assert!(
        of_signal > of_journal + (1 << 20) - 200,
        "{of_journal} {of_signal}"
    );
    // Until 16 MiB wait, and then no more; the run is as it was.
    let piece = json!({ "payload": "z".repeat((1 << 20) - 100) });
    let mut sent = 1;
    let refused = loop {
        let answer = server.post(&path, &piece);
        if answer.status != 202 {
            break answer;
        }
        sent += 1;
        assert!(sent < 32, "no bound");
    };
    assert_eq!(sent, 16, "{refused:?}");
    assert!((400..500).contains(&refused.status), "{refused:?}");
    assert!(refused.body.contains("16 MiB"), "{}", refused.body);
    server.until(&run, "waiting");
    // A small one is still taken, and lets it go on.
    server
        .post(&format!("/v1/runs/{run}/signals/go"), &json!({}))
        .is(202);
    assert_eq!(server.ended(&run)["state"], "succeeded");
}

#[test]
fn so_many_runs_may_wait_and_no_more() {
    let session = Kael::new().file(
        "serve.yaml",
        "tenants:\n  - { name: default, max_waiting: 2 }\n",
    );
    session.write_repo();
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let waits = "wait_for('go')";
    let runs = [server.submit(waits), server.submit(waits)];
    for run in &runs {
        server.until(run, "waiting");
    }
    let refused = server
        .post("/v1/runs", &json!({ "script": "print(1)" }))
        .is(429);
    assert_eq!(refused.header("retry-after"), Some("60"));
    let refused = refused.json();
    assert_eq!(
        (&refused["type"], &refused["limit"], &refused["used"]),
        (&json!("urn:kael:queue_full"), &json!(2), &json!(2))
    );
    assert_eq!(
        refused["detail"],
        "2 runs of the tenant `default` wait for a time, a signal or a person, and 2 may"
    );
    // One that goes on makes room, and so does one that is cancelled.
    for (run, path, state) in [
        (&runs[0], "signals/go", "succeeded"),
        (&runs[1], "cancel", "cancelled"),
    ] {
        server
            .post(&format!("/v1/runs/{run}/{path}"), &json!({}))
            .is(202);
        assert_eq!(server.ended(run)["state"], state);
        let next = server.submit("print(1)");
        assert_eq!(server.ended(&next)["state"], "succeeded");
    }
}

#[test]
fn what_is_queued_waits_while_its_tenant_is_disabled() {
    let session = Kael::new().shell("hold", "effects = 'none'", "sleep 3600");
    session.write_repo();
    let server = Server::start(&session);
    let folder = session.path().join("actions").display().to_string();
    let set = |disabled: bool| {
        let settings = json!({ "actions": folder, "max_running": 1 });
        let body = json!({ "settings": settings, "disabled": disabled });
        server
            .ask("PUT", "/v1/tenants/acme", Some(&server.token), &body)
            .is(200);
    };
    set(false);
    let token = server.make_token("acme", "submitter");
    let bearer = format!("Bearer {}", server.token);
    let of_acme = [("Authorization", bearer.as_str()), ("Kael-Tenant", "acme")];
    let submit = |script: &str| {
        let body = json!({ "script": script });
        let run = server.ask("POST", "/v1/runs", Some(&token), &body).is(202);
        run.json()["id"].as_str().expect("an id").to_owned()
    };
    let look = |run: &str| {
        server
            .send("GET", &format!("/v1/runs/{run}"), &of_acme, "")
            .is(200)
            .json()
    };
    let first = submit("actions.t.hold({})");
    let late = Instant::now() + PATIENCE;
    while look(&first)["state"] == "queued" {
        assert!(Instant::now() < late);
        std::thread::sleep(Duration::from_millis(10));
    }
    let queued: Vec<String> = (0..3).map(|_| submit("print('ran')")).collect();
    set(true);
    // What frees the place of the run that ran lets none of them begin.
    let now = "{\"mode\": \"now\"}";
    server
        .send("POST", &format!("/v1/runs/{first}/cancel"), &of_acme, now)
        .is(202);
    let late = Instant::now() + PATIENCE;
    while look(&first)["ended"].is_null() {
        assert!(Instant::now() < late);
        std::thread::sleep(Duration::from_millis(10));
    }
    let own = server.submit("print(1)");
    assert_eq!(server.ended(&own)["state"], "succeeded");
    for run in &queued {
        let state = look(run);
        assert_eq!(
            (&state["state"], &state["ended"]),
            (&json!("queued"), &Value::Null),
            "{state}"
        );
    }
    set(false);
    for run in &queued {
        let late = Instant::now() + PATIENCE;
        while look(run)["state"] != "succeeded" {
            assert!(Instant::now() < late, "{}", look(run));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn calls_that_wait_for_people_are_listed_in_pages() {
    let session = Kael::new().shell("pay", "effects = 'once'", "echo 1").file(
        "actions/policy.yaml",
        "version: 1\ndefault: allow\nrules: [{ approve: t.pay }]\n",
    );
    let server = Server::owning(session);
    let runs: Vec<String> = (0..5).map(|_| server.submit("actions.t.pay({})")).collect();
    for run in &runs {
        server.until(run, "waiting");
    }
    let page = |query: &str| server.get(&format!("/v1/approvals{query}"));
    let all = page("").is(200).json();
    let all: Vec<&Value> = all["approvals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["run"])
        .collect();
    assert_eq!(all.len(), 5);
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    for count in [2, 2, 1] {
        let part = page(&query).is(200).json();
        let list = part["approvals"].as_array().expect("a list");
        assert_eq!(list.len(), count);
        seen.extend(list.iter().map(|one| one["run"].clone()));
        query = format!(
            "?limit=2&cursor={}",
            part["next"].as_str().unwrap_or_default()
        );
        assert_eq!(part["next"].is_string(), seen.len() < 5);
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), all);
    for query in ["?cursor=x", "?limit=0", "?limit=1001", "?cursor=1-2-3-4"] {
        page(query).is(422);
    }
    page("?offset=1").is(400);
}

#[test]
fn slow_senders_of_one_tenant_hold_up_no_other() {
    let server = Server::owning(Kael::new());
    let (path, _) = hook(&server);
    server.make_tenant("other", &json!({}));
    let manager = server.make_token("other", "manager");
    let script = json!({ "script": "print(arg[1])" });
    server
        .ask("PUT", "/v1/scripts/take", Some(&manager), &script)
        .is(200);
    let made = json!({ "name": "own", "script": "take" });
    let made = server
        .ask("POST", "/v1/hooks", Some(&manager), &made)
        .is(201)
        .json();
    let url = made["url"].as_str().expect("an address");
    let (_, own) = url.split_at(url.find("/v1/").expect("a path"));
    let secret = made["secret"].as_str().expect("a secret");
    // More than all that are read at once: their bodies do not come.
    let headers = [("Content-Length", "10"), ("Kael-Signature", "t=1,v1=00")];
    let mut slow: Vec<_> = (0..300)
        .map(|_| server.open("POST", &path, &headers, ""))
        .collect();
    send(&server, own, secret, "d-1", "{}").is(202);
    // None of them has been given up yet: they were not what was waited for.
    let first = &mut slow[0];
    first.set_nonblocking(true).expect("set");
    let error = first.read(&mut [0; 1]).expect_err("no answer yet");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_subscription_that_nobody_takes_is_stopped_and_resumed() {
    let session = Kael::new().shell("unused", "", "true");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (server, url) = sending_to(&session, &listener);
    let token = server.token.clone();
    let new = json!({ "name": "chat", "url": url, "events": ["run.finished"] });
    let made = server.post("/v1/subscriptions", &new).is(201).json();
    let id = made["id"].as_str().expect("an id").to_owned();
    server.ended(&server.submit("print(1)"));
    let first = receive(&listener, "500 No");
    let delivery = first.header("kael-delivery").to_owned();
    server.terminate();
    // A day later: nine tries have failed.
    let store = session.path().join("data/server/store/serve.db");
    let changed = Command::new("python3")
        .args(["-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nn = c.execute('UPDATE srv_deliveries SET tries = 9, next = 0').rowcount\nc.commit()\nassert n == 1, n"])
        .arg(&store)
        .status();
    assert!(changed.expect("python3 starts").success());
    let with = ["--config", "serve.yaml"];
    let server = Server::restart_with(&session, &token, &with);
    let last = receive(&listener, "500 No");
    assert_eq!(last.header("kael-delivery"), delivery);
    let look = || {
        let all = server.get("/v1/subscriptions").is(200).json();
        all["subscriptions"][0].clone()
    };
    let late = Instant::now() + PATIENCE;
    while look()["stopped"].is_null() {
        assert!(Instant::now() < late, "{}", look());
    }
    let stopped = look()["stopped"].as_str().expect("why").to_owned();
    assert!(
        stopped.starts_with("a delivery failed 10 times: "),
        "{stopped}"
    );
    let audit = server.get("/v1/audit").is(200).body;
    assert!(audit.contains("subscription.stop"), "{audit}");
    // What happens meanwhile is not sent.
    server.ended(&server.submit("print(2)"));
    listener.set_nonblocking(true).expect("set");
    let error = listener.accept().expect_err("nobody sends");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).expect("set");
    server
        .post(&format!("/v1/subscriptions/{id}/resume"), &json!({}))
        .is(200);
    let run = server.submit("print(3)");
    server.ended(&run);
    // Whatever was held comes first.
    let late = Instant::now() + PATIENCE;
    loop {
        let got = receive(&listener, "204 Yes");
        if super::subscriptions::run_of(&got) == run {
            break;
        }
        assert!(Instant::now() < late, "the run is not told");
    }
    assert!(look()["stopped"].is_null());
}
