//! Stored scripts: versions, who may change them, and runs of them.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;
use super::page::enter;

/// What a run printed.
pub(super) fn printed(server: &Server, run: &str) -> String {
    let ended = server.ended(run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    server.get(&format!("/v1/runs/{run}/output")).is(200).body
}

#[test]
fn every_version_is_kept_and_a_run_names_one() {
    let server = Server::owning(Kael::new());
    let first = server.store("report.lua", "print('one', ...)");
    assert_eq!(
        (&first["version"], &first["name"]),
        (&json!(1), &json!("report.lua"))
    );
    // The same text again is no new version.
    assert_eq!(
        server.store("report.lua", "print('one', ...)")["version"],
        1
    );
    assert_eq!(
        server.store("report.lua", "print('two', ...)")["version"],
        2
    );
    let run = |name: &str| {
        let body = json!({ "name": name, "args": ["a"] });
        let run = server.post("/v1/runs", &body).is(202).json();
        assert_eq!(run["name"], "report.lua");
        printed(&server, run["id"].as_str().expect("an id"))
    };
    assert_eq!(run("report.lua"), "two\ta\n");
    assert_eq!(run("report.lua@1"), "one\ta\n");
    let answer = server.get("/v1/scripts/report.lua").is(200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let script = answer.json();
    assert_eq!(
        (&script["script"], &script["version"]),
        (&json!("print('two', ...)"), &json!(2))
    );
    assert_eq!(
        script["versions"].as_array().map(Vec::len),
        Some(2),
        "{script}"
    );
    let old = server
        .get("/v1/scripts/report.lua?version=1")
        .is(200)
        .json();
    assert_eq!(old["script"], "print('one', ...)");
    let list = server.get("/v1/scripts").is(200).json();
    assert_eq!(list["scripts"][0]["version"], 2, "{list}");
    // What is not there.
    for name in ["gone", "report.lua@3", "report.lua@0", "../x", "a b"] {
        let problem = server
            .post("/v1/runs", &json!({ "name": name }))
            .is(404)
            .json();
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("no stored script")),
            "{problem}"
        );
    }
    server.get("/v1/scripts/report.lua?version=9").is(404);
    // Deleted and put again, it goes on counting.
    server
        .ask(
            "DELETE",
            "/v1/scripts/report.lua",
            Some(&server.token),
            &Value::Null,
        )
        .is(204);
    server.get("/v1/scripts/report.lua").is(404);
    server.get("/v1/scripts/report.lua?version=1").is(404);
    server
        .post("/v1/runs", &json!({ "name": "report.lua@1" }))
        .is(404);
    assert_eq!(server.store("report.lua", "print('three')")["version"], 4);
}

#[test]
fn a_change_is_of_the_version_that_was_read_and_a_wrong_script_is_refused() {
    let session = Kael::new().shell("ok", "", "echo 1");
    let server = Server::start(&session);
    let bearer = format!("Bearer {}", server.token);
    let put = |header: (&str, &str), text: &str| {
        let headers = [("Authorization", bearer.as_str()), header];
        server.send(
            "PUT",
            "/v1/scripts/a",
            &headers,
            &json!({ "script": text }).to_string(),
        )
    };
    put(("If-Match", "*"), "print(1)").is(412);
    put(("If-None-Match", "*"), "print(1)").is(200);
    put(("If-None-Match", "*"), "print(2)").is(412);
    put(("If-Match", "\"1\""), "print(2)").is(200);
    let stale = put(("If-Match", "\"1\""), "print(3)").is(412).json();
    assert_eq!(stale["type"], "urn:kael:not_current", "{stale}");
    assert_eq!(server.get("/v1/scripts/a").json()["version"], 2);
    let headers = [("Authorization", bearer.as_str()), ("If-Match", "\"1\"")];
    server.send("DELETE", "/v1/scripts/a", &headers, "").is(412);
    // As `check` finds it: no Lua, and an action that there is not.
    for (text, said) in [
        ("x = = 1", "a:1:"),
        ("local x = 1\nactions.t.okk({})", "a:2:"),
    ] {
        let problem = server
            .put("/v1/scripts/a", &json!({ "script": text }))
            .is(422)
            .json();
        assert_eq!(problem["type"], "urn:kael:script_error", "{problem}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.starts_with(said)),
            "{problem}"
        );
        assert!(
            problem["frames"]
                .as_array()
                .is_some_and(|frames| !frames.is_empty()),
            "{problem}"
        );
    }
    for name in [".a", "a%2Fb", "a@1", "%2e%2e"] {
        let answer = server.put(
            &format!("/v1/scripts/{name}"),
            &json!({ "script": "x = 1" }),
        );
        assert!(matches!(answer.status, 404 | 422), "{name}: {answer:?}");
    }
    let viewer = server.make_token("default", "submitter");
    server
        .ask(
            "PUT",
            "/v1/scripts/a",
            Some(&viewer),
            &json!({ "script": "x = 1" }),
        )
        .is(403);
    server
        .ask("GET", "/v1/scripts/a", Some(&viewer), &Value::Null)
        .is(200);
}

#[test]
fn a_tenant_sees_its_own_scripts_and_one_that_is_run_is_not_deleted() {
    let server = Server::owning(Kael::new());
    server.make_tenant("acme", &json!({}));
    server.make_tenant("other", &json!({}));
    let (acme, other) = (
        server.make_token("acme", "manager"),
        server.make_token("other", "manager"),
    );
    let ask = |method: &str, path: &str, token: &str, body: &Value| {
        server.ask(method, path, Some(token), body)
    };
    ask(
        "PUT",
        "/v1/scripts/a",
        &acme,
        &json!({ "script": "print('secret')" }),
    )
    .is(200);
    for path in ["/v1/scripts/a", "/v1/scripts/a?version=1"] {
        ask("GET", path, &other, &Value::Null).is(404);
    }
    ask("POST", "/v1/runs", &other, &json!({ "name": "a" })).is(404);
    ask(
        "PUT",
        "/v1/schedules/s",
        &other,
        &json!({ "cron": "@daily", "script": "a" }),
    )
    .is(404);
    ask(
        "POST",
        "/v1/hooks",
        &other,
        &json!({ "name": "h", "script": "a" }),
    )
    .is(404);
    ask("POST", "/v1/t/acme/f/a", &other, &Value::Null).is(404);
    assert_eq!(
        ask("GET", "/v1/scripts", &other, &Value::Null).json()["scripts"],
        json!([])
    );
    // What a schedule or a webhook runs stays.
    ask(
        "PUT",
        "/v1/schedules/s",
        &acme,
        &json!({ "cron": "@daily", "script": "a@1" }),
    )
    .is(200);
    let refused = ask("DELETE", "/v1/scripts/a", &acme, &Value::Null)
        .is(409)
        .json();
    assert_eq!(
        refused["detail"],
        "the script `a` is run by the schedule `s`"
    );
    ask("DELETE", "/v1/schedules/s", &acme, &Value::Null).is(204);
    let hook = ask(
        "POST",
        "/v1/hooks",
        &acme,
        &json!({ "name": "h", "script": "a" }),
    )
    .is(201)
    .json();
    ask("DELETE", "/v1/scripts/a", &acme, &Value::Null).is(409);
    let id = hook["id"].as_str().expect("an id");
    ask("DELETE", &format!("/v1/hooks/{id}"), &other, &Value::Null).is(404);
    ask("DELETE", &format!("/v1/hooks/{id}"), &acme, &Value::Null).is(204);
    ask("DELETE", "/v1/scripts/a", &acme, &Value::Null).is(204);
    let audit = ask("GET", "/v1/audit", &acme, &Value::Null).is(200).body;
    for what in [
        "script.put",
        "schedule.put",
        "schedule.delete",
        "hook.create",
        "hook.delete",
        "script.delete",
    ] {
        assert!(audit.contains(what), "{what}: {audit}");
    }
}

#[test]
fn scripts_and_schedules_count_for_the_storage_of_their_tenant() {
    let server = Server::owning(Kael::new());
    server.make_tenant("tight", &json!({ "max_storage": "4KiB" }));
    let token = server.make_token("tight", "manager");
    let put = |path: &str, body: &Value| server.ask("PUT", path, Some(&token), body);
    let used = || {
        let own = server.ask("GET", "/v1/tenant", Some(&token), &Value::Null);
        let own = own.is(200).json();
        own["load"]["storage_bytes"].as_u64().expect("bytes")
    };
    let script = |text: &str| json!({ "script": text });
    let long = format!("print('{}')", "x".repeat(2000));
    put("/v1/scripts/a", &script(&long)).is(200);
    assert!(used() > 2000, "{}", used());
    // A version of another script with the same text has the text once.
    put("/v1/scripts/b", &script(&long)).is(200);
    assert!(used() < 4000, "{}", used());
    let args = vec!["y".repeat(100); 20];
    let plan = json!({ "cron": "@yearly", "script": "a", "args": args });
    put("/v1/schedules/s", &plan).is(200);
    for full in [
        put("/v1/scripts/c", &script("print(1)")),
        put("/v1/scripts/a", &script("print(1)")),
        put("/v1/schedules/t", &plan),
    ] {
        let problem = full.is(429).json();
        assert_eq!(
            (&problem["type"], &problem["limit"]),
            (&json!("urn:kael:storage_full"), &json!(4096)),
            "{problem}"
        );
    }
    // What is there already, and what is smaller, takes no more.
    put("/v1/scripts/a", &script(&long)).is(200);
    put(
        "/v1/schedules/s",
        &json!({ "cron": "@yearly", "script": "a" }),
    )
    .is(200);
    put("/v1/scripts/c", &script("print(1)")).is(200);
    // What is deleted gives its room back, with the text that nothing has any more.
    for path in ["/v1/schedules/s", "/v1/scripts/a"] {
        server
            .ask("DELETE", path, Some(&token), &Value::Null)
            .is(204);
    }
    assert!(used() > 2000, "{}", used());
    server
        .ask("DELETE", "/v1/scripts/b", Some(&token), &Value::Null)
        .is(204);
    assert!(used() < 1000, "{}", used());
}

#[test]
fn the_page_stores_runs_and_changes_a_script() {
    let server = Server::owning(Kael::new());
    let session = enter(&server, &server.token);
    let csrf = session.csrf();
    let stored = session.send(
        "/scripts",
        &format!("csrf={csrf}&name=a&script=print('<b>evil</b>')"),
    );
    assert_eq!(stored.header("location"), Some("/scripts/a"), "{stored:?}");
    let page = session.get("/scripts/a").is(200).body;
    assert!(
        page.contains("&lt;b&gt;evil") && !page.contains("<b>evil"),
        "{page}"
    );
    assert!(session.get("/scripts").is(200).body.contains("/scripts/a"));
    let changed = session.send(
        "/scripts/a",
        &format!("csrf={csrf}&version=1&script=print(arg[1])"),
    );
    assert_eq!(changed.status, 303, "{changed:?}");
    // A form that began with an older version, and a script that is none, come back with what was typed.
    let stale = session.send(
        "/scripts/a",
        &format!("csrf={csrf}&version=1&script=print(3)"),
    );
    assert!(
        stale.status == 412 && stale.body.contains("print(3)"),
        "{stale:?}"
    );
    let wrong = session.send(
        "/scripts/a",
        &format!("csrf={csrf}&version=2&script=x+%3D+%3D"),
    );
    assert!(
        wrong.status == 422 && wrong.body.contains("x = ="),
        "{wrong:?}"
    );
    let run = session.send("/scripts/a/run", &format!("csrf={csrf}&args=hi+there"));
    let run = run
        .header("location")
        .and_then(|at| at.strip_prefix("/runs/"))
        .expect("a run");
    assert_eq!(printed(&server, run), "hi\n");
    let old = session.get("/scripts/a?version=1").is(200).body;
    assert!(old.contains("Run version 1"), "{old}");
    assert_eq!(session.send("/scripts/a/delete", "csrf=x").status, 403);
    assert_eq!(
        session
            .send("/scripts/a/delete", &format!("csrf={csrf}"))
            .status,
        303
    );
    server.get("/v1/scripts/a").is(404);
}
