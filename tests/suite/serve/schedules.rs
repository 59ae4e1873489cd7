//! Schedules: what they answer, what they refuse, and runs that they begin.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::page::enter;
use super::scripts::printed;

/// Waits until a schedule has so many fires: all of them.
fn fires(server: &Server, name: &str, count: usize) -> Vec<Value> {
    let begun = std::time::Instant::now();
    loop {
        let schedule = server.get(&format!("/v1/schedules/{name}")).is(200).json();
        let fires = schedule["fires"].as_array().cloned().unwrap_or_default();
        if fires.len() >= count {
            return fires;
        }
        assert!(begun.elapsed() < super::PATIENCE, "{schedule}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// So many minutes ago, as RFC 3339 has it.
fn ago(minutes: u64) -> String {
    let now = std::time::SystemTime::now();
    kael_engine::run_info::timestamp(now - std::time::Duration::from_secs(60 * minutes))
}

#[test]
fn a_schedule_says_when_it_fires_and_what_is_wrong_with_it() {
    let server = Server::owning(Kael::new());
    server.store("report", "print(...)");
    let plan = json!({ "cron": "30 4 * * 1-5", "zone": "Europe/Berlin", "script": "report", "args": ["--all"], "from": "2026-03-26T00:00:00Z", "catch_up": "none" });
    let made = server.put("/v1/schedules/nightly", &plan).is(200);
    assert_eq!(made.header("etag"), Some("\"1\""));
    // Everything in the past is missed, and told as such.
    let missed = fires(&server, "nightly", 1);
    assert_eq!(
        (&missed[0]["outcome"], &missed[0]["at"]),
        (&json!("missed"), &json!("2026-03-26T03:30:00.000Z"))
    );
    let schedule = server.get("/v1/schedules/nightly").is(200).json();
    let next = schedule["next"].as_array().expect("times");
    assert_eq!(next.len(), 10, "{schedule}");
    assert!(
        next.iter()
            .all(|at| at.as_str().is_some_and(|at| at.ends_with(":30:00.000Z"))),
        "{schedule}"
    );
    let future =
        json!({ "cron": "0 0 29 2 *", "script": "report", "from": "2999-01-01T00:00:00Z" });
    let far = server.put("/v1/schedules/far", &future).is(200).json();
    assert_eq!(far["next"][0], "3004-02-29T00:00:00.000Z");
    // Another plan is another version; `If-Match` holds as for scripts.
    let bearer = format!("Bearer {}", server.token);
    let put = |tag: &str| {
        let headers = [("Authorization", bearer.as_str()), ("If-Match", tag)];
        server.send("PUT", "/v1/schedules/far", &headers, &future.to_string())
    };
    assert_eq!(put("\"1\"").is(200).json()["version"], 2);
    put("\"1\"").is(412);
    for (change, said) in [
        (
            json!({ "cron": "61 * * * *" }),
            "`cron`: `61 * * * *` is no pattern",
        ),
        (json!({ "cron": "* * * * * *" }), "`cron`: "),
        (
            json!({ "cron": "0 0 30 2 *" }),
            "`cron`: no day has a time of `0 0 30 2 *`",
        ),
        (
            json!({ "zone": "Mars/Olympus" }),
            "`zone`: `Mars/Olympus` is no time zone",
        ),
        (
            json!({ "jitter": "2h" }),
            "`jitter` is 2h, and may be an hour",
        ),
        (json!({ "from": "soon" }), "`from`: `soon` is no time"),
        (json!({ "overlap": "maybe" }), "overlap"),
        (json!({ "limits": { "memory": "1TiB" } }), "`limits.memory`"),
        (json!({ "every": "1h" }), "every"),
    ] {
        let mut wrong = json!({ "cron": "@daily", "script": "report" });
        for (key, value) in change.as_object().expect("an object") {
            wrong[key] = value.clone();
        }
        let problem = server.put("/v1/schedules/wrong", &wrong).is(422).json();
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(said)),
            "{problem}"
        );
    }
    server
        .put(
            "/v1/schedules/wrong",
            &json!({ "cron": "@daily", "script": "gone" }),
        )
        .is(404);
    server.get("/v1/schedules/wrong").is(404);
    // A list has pages, by name, and says what became of the newest fire.
    let names = |list: &Value| -> Vec<Value> {
        let all = list["schedules"].as_array().expect("schedules").iter();
        all.map(|schedule| {
            json!([
                schedule["name"],
                schedule["last_outcome"],
                schedule["next"].as_array().map(Vec::len)
            ])
        })
        .collect()
    };
    let far = json!(["far", null, 10]);
    let nightly = json!(["nightly", "missed", 10]);
    let list = server.get("/v1/schedules").is(200).json();
    assert_eq!(names(&list), [far.clone(), nightly.clone()]);
    assert!(list["next"].is_null(), "{list}");
    let first = server.get("/v1/schedules?limit=1").is(200).json();
    assert_eq!((names(&first), &first["next"]), (vec![far], &json!("far")));
    let rest = server.get("/v1/schedules?limit=1&cursor=far").is(200);
    assert_eq!(names(&rest.json()), [nightly]);
    assert!(rest.json()["next"].is_null(), "{}", rest.body);
    server.get("/v1/schedules?limit=0").is(400);
    let page = enter(&server, &server.token);
    let all = page.get("/schedules").is(200).body;
    assert!(all.contains("missed") && !all.contains("cursor="), "{all}");
    let first = page.get("/schedules?limit=1").is(200).body;
    assert!(
        first.contains("/schedules?cursor=far") && !first.contains("missed"),
        "{first}"
    );
}

#[test]
fn a_schedule_fires_once_and_its_runs_are_runs_like_any_other() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    server.store("report", "print('fired', ...)");
    // Each minute, and what was due in the last ten is caught up.
    let plan = json!({ "cron": "* * * * *", "script": "report", "args": ["a"], "labels": { "team": "web" },
        "overlap": "allow", "catch_up": "all", "from": ago(10) });
    server.put("/v1/schedules/often", &plan).is(200);
    let first = fires(&server, "often", 10);
    server
        .post("/v1/schedules/often/pause", &Value::Null)
        .is(200);
    let all = fires(&server, "often", first.len());
    let mut runs = Vec::new();
    for fire in &all {
        assert_eq!(fire["outcome"], "started", "{fire}");
        let run = fire["run"].as_str().expect("a run");
        assert_eq!(printed(&server, run), "fired\ta\n");
        runs.push(run.to_owned());
    }
    let run = server.get(&format!("/v1/runs/{}", runs[0])).is(200).json();
    assert_eq!(
        (&run["origin"], &run["labels"]),
        (&json!("schedule often"), &json!({ "team": "web" }))
    );
    let listed = server
        .get("/v1/runs?origin=schedule+often&limit=500")
        .is(200)
        .json();
    assert_eq!(
        listed["runs"].as_array().map(Vec::len),
        Some(all.len()),
        "{listed}"
    );
    let metrics = server.get("/metrics").is(200).body;
    let counted = format!(
        "kael_schedule_fires_total{{outcome=\"started\"}} {}",
        all.len()
    );
    assert!(metrics.contains(&counted), "{metrics}");
    // A new server does none of them again, whatever it is told of the past.
    server.kill();
    let server = Server::restart(&session, &token);
    let paused = server.get("/v1/schedules/often").is(200).json();
    assert_eq!(
        (&paused["paused"], &paused["next"]),
        (&json!(true), &json!([]))
    );
    server
        .post("/v1/schedules/often/resume", &Value::Null)
        .is(200);
    let plan = json!({ "cron": "*/1 * * * *", "script": "report", "overlap": "allow", "catch_up": "all", "from": ago(60) });
    let changed = server.put("/v1/schedules/often", &plan).is(200).json();
    let last = all[0]["at"].as_str().expect("a time");
    assert!(changed["next"][0].as_str() > Some(last), "{changed}");
    server
        .post("/v1/schedules/often/pause", &Value::Null)
        .is(200);
    let again = fires(&server, "often", all.len());
    assert!(again.ends_with(&all), "{again:?}");
    let runs = server.get("/v1/runs?origin=schedule+often&limit=500");
    assert_eq!(
        runs.is(200).json()["runs"].as_array().map(Vec::len),
        Some(again.len())
    );
    let run = server
        .post("/v1/schedules/often/run", &Value::Null)
        .is(202)
        .json();
    assert_eq!(run["origin"], "schedule often");
    assert_eq!(
        printed(&server, run["id"].as_str().expect("an id")),
        "fired\n"
    );
    let metrics = server.get("/metrics").is(200).body;
    assert!(metrics.contains("kael_clock_steps_total 0"), "{metrics}");
}

#[test]
fn a_fire_waits_for_the_run_before_it_or_ends_it() {
    let session = Kael::new().shell("wait", "", "sleep 600");
    let server = Server::start(&session);
    server.store("slow", "print('begun') actions.t.wait({})");
    server.store("waits", "wait_for('go') print('went')");
    let plan = |overlap: &str, script: &str| json!({ "cron": "* * * * *", "script": script, "overlap": overlap, "catch_up": "all", "from": ago(3) });
    // The first run goes on; the others are left out, or wait.
    server
        .put("/v1/schedules/skips", &plan("skip", "slow"))
        .is(200);
    let skipped = fires(&server, "skips", 3);
    server
        .post("/v1/schedules/skips/pause", &Value::Null)
        .is(200);
    let outcomes: Vec<_> = skipped
        .iter()
        .rev()
        .map(|fire| fire["outcome"].as_str())
        .collect();
    assert_eq!(
        &outcomes[..3],
        [Some("started"), Some("skipped"), Some("skipped")]
    );
    server
        .put("/v1/schedules/queues", &plan("queue", "waits"))
        .is(200);
    // Each begins when the one before has ended, and none of the rest does then.
    let queued = fires(&server, "queues", 3).len();
    for at in 0..queued {
        let begun = std::time::Instant::now();
        let run = loop {
            let mut now = fires(&server, "queues", queued);
            // A minute may have passed.
            now.reverse();
            assert!(
                now[at + 1..].iter().all(|fire| fire["run"].is_null()),
                "{now:?}"
            );
            if let Some(run) = now[at]["run"].as_str() {
                break run.to_owned();
            }
            assert!(begun.elapsed() < super::PATIENCE, "{now:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        server
            .post(&format!("/v1/runs/{run}/signals/go"), &json!({}))
            .is(202);
        assert_eq!(printed(&server, &run), "went\n");
    }
    // The run of the first fire is cancelled for the last one.
    server
        .put("/v1/schedules/cancels", &plan("cancel_previous", "slow"))
        .is(200);
    fires(&server, "cancels", 3);
    let begun = std::time::Instant::now();
    let (first, last) = loop {
        let all = fires(&server, "cancels", 3);
        if all[0]["run"].is_string() {
            break (all.last().cloned().expect("a fire"), all[0].clone());
        }
        assert!(begun.elapsed() < super::PATIENCE, "{all:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let first = server.ended(first["run"].as_str().expect("a run"));
    let message = first["error"]["message"].as_str().expect("a message");
    assert!(
        first["state"] == "cancelled" && message.starts_with("schedule cancels cancelled the run"),
        "{first}"
    );
    let last = server
        .get(&format!(
            "/v1/runs/{}",
            last["run"].as_str().expect("a run")
        ))
        .json();
    assert!(last["ended"].is_null(), "{last}");
}

#[test]
fn schedules_from_the_page() {
    let server = Server::owning(Kael::new());
    server.store("report", "print(...)");
    let session = enter(&server, &server.token);
    let csrf = session.csrf();
    let form = format!(
        "csrf={csrf}&name=nightly&cron=30+4+*+*+*&zone=Europe%2FBerlin&script=report&args=a+b&overlap=queue&catch_up=none"
    );
    let made = session.send("/schedules", &form);
    assert_eq!(
        made.header("location"),
        Some("/schedules/nightly"),
        "{made:?}"
    );
    let page = session.get("/schedules/nightly").is(200).body;
    assert_eq!(page.matches("<li><time").count(), 10, "{page}");
    let schedule = server.get("/v1/schedules/nightly").is(200).json();
    assert_eq!(
        (&schedule["plan"]["overlap"], &schedule["plan"]["args"]),
        (&json!("queue"), &json!(["a", "b"]))
    );
    let wrong = session.send(
        "/schedules",
        &form
            .replace("30+4", "<b>61</b>+4")
            .replace("nightly", "other"),
    );
    assert!(
        wrong.status == 422
            && wrong.body.contains("is no pattern")
            && !wrong.body.contains("<b>61"),
        "{wrong:?}"
    );
    let act = |what: &str| {
        session.send(
            &format!("/schedules/nightly/{what}"),
            &format!("csrf={csrf}"),
        )
    };
    assert!(!session.get("/schedules").is(200).body.contains("paused"));
    assert_eq!(act("pause").status, 303);
    assert!(session.get("/schedules").is(200).body.contains("paused"));
    assert_eq!(act("resume").status, 303);
    let run = act("run");
    let run = run
        .header("location")
        .and_then(|at| at.strip_prefix("/runs/"))
        .expect("a run");
    assert_eq!(printed(&server, run), "a\tb\n");
    assert!(
        session
            .get("/runs?origin=schedule+nightly")
            .is(200)
            .body
            .contains(run)
    );
    assert_eq!(
        session.send("/schedules/nightly/delete", "csrf=x").status,
        403
    );
    assert_eq!(act("delete").status, 303);
    server.get("/v1/schedules/nightly").is(404);
}

#[test]
fn a_run_that_must_end_for_the_next_one_ends_behind_a_crash() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    server.store("waits", "wait_for('go')");
    // The next fire is far off: it is not what ends the run.
    let from = ago(3 * 24 * 60);
    let plan = |overlap: &str| json!({ "cron": "@daily", "script": "waits", "overlap": overlap, "catch_up": "all", "from": from });
    server.put("/v1/schedules/often", &plan("queue")).is(200);
    let before = fires(&server, "often", 3);
    let first = before.last().expect("a fire").clone();
    assert_eq!(first["outcome"], "started");
    assert!(before[..2].iter().all(|fire| fire["outcome"] == "waiting"));
    let shown = server.get("/v1/schedules/often").is(200).json();
    assert!(shown["waiting"].as_u64() >= Some(2), "{shown}");
    server.kill();
    let server = Server::restart(&session, &token);
    // What waits is in the store, and so is why: nothing was told to the run before the crash.
    server
        .put("/v1/schedules/often", &plan("cancel_previous"))
        .is(200);
    let ended = server.ended(first["run"].as_str().expect("a run"));
    assert_eq!(ended["state"], "cancelled", "{ended}");
    let begun = std::time::Instant::now();
    loop {
        let now = fires(&server, "often", 3);
        if now[0]["run"].is_string() {
            break;
        }
        assert!(begun.elapsed() < super::PATIENCE, "{now:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_disabled_tenant_begins_nothing_and_stays_disabled() {
    let session = Kael::new();
    let server = Server::start(&session);
    let token = server.token.clone();
    let manager = server.make_token("default", "manager");
    server.store("report", "return 1");
    let hook = super::hooks::hook(&server);
    let settings = server.get("/v1/tenants/default").is(200).json()["settings"].clone();
    let set = |server: &Server, disabled: bool| {
        let body = json!({ "settings": settings, "disabled": disabled });
        server.put("/v1/tenants/default", &body).is(200);
    };
    set(&server, true);
    let plan = json!({ "cron": "* * * * *", "script": "report", "overlap": "allow", "catch_up": "all", "from": ago(5) });
    server.put("/v1/schedules/often", &plan).is(200);
    let refused = fires(&server, "often", 5);
    assert!(
        refused
            .iter()
            .all(|fire| fire["outcome"] == "refused" && fire["why"] == "the tenant is disabled"),
        "{refused:?}"
    );
    super::hooks::send(&server, &hook.0, &hook.1, "d", "x").is(404);
    // Neither for a person of the tenant nor for the operator.
    for token in [&manager, &server.token] {
        for (path, body) in [
            ("/v1/t/default/f/report", json!({})),
            ("/v1/runs", json!({ "name": "report" })),
            ("/v1/schedules/often/run", Value::Null),
        ] {
            let problem = server.ask("POST", path, Some(token), &body).is(403).json();
            assert_eq!(problem["detail"], "the tenant `default` is disabled");
        }
    }
    assert_eq!(server.get("/v1/runs").is(200).json()["runs"], json!([]));
    // The settings in the file of a server do not enable it.
    server.kill();
    let server = Server::restart(&session, &token);
    let tenant = server.get("/v1/tenants/default").is(200).json();
    assert_eq!(tenant["disabled"], true, "{tenant}");
    set(&server, false);
    let run = server
        .ask(
            "POST",
            "/v1/schedules/often/run",
            Some(&manager),
            &Value::Null,
        )
        .is(202)
        .json();
    assert_eq!(printed(&server, run["id"].as_str().expect("an id")), "");
    // Nothing was caught up meanwhile, and the next fire is one like any other.
    let now = server.get("/v1/schedules/often").is(200).json();
    assert!(
        now["fires"].as_array().is_some_and(|fires| fires
            .iter()
            .filter(|fire| fire["outcome"] == "started")
            .count()
            < 2),
        "{now}"
    );
}
