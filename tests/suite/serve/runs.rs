//! Runs: submitted, followed to their end, listed, cancelled.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;

#[test]
fn a_script_runs_through_the_gate_and_its_output_is_kept() {
    let session = Kael::new().shell("greet", "", r#"echo '{"text": "hello"}'"#);
    let server = Server::start(&session);
    let run = server.submit("print(actions.t.greet({}).text, ...)\nreturn { n = 7 }");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(
        (&ended["exit_code"], &ended["tenant"]),
        (&json!(0), &json!("default"))
    );
    assert_eq!(ended["usage"]["calls"], 1);
    let path = format!("/v1/runs/{run}");
    assert_eq!(
        server.get(&format!("{path}/output")).is(200).body,
        "hello\n"
    );
    assert_eq!(
        server.get(&format!("{path}/result")).is(200).json(),
        json!({ "n": 7 })
    );
    let calls = server.get(&format!("{path}/calls")).is(200).json();
    let call = &calls["calls"][0];
    assert_eq!(
        (&call["action"], &call["outcome"]),
        (&json!("t.greet"), &json!("ok")),
        "{calls}"
    );
    let script = server.get(&format!("{path}/script")).is(200);
    assert!(
        script.body.starts_with("print(actions.t.greet"),
        "{}",
        script.body
    );
    let actions = server.get("/v1/actions").is(200).json();
    assert_eq!(actions["actions"][0]["name"], "t.greet");
    let near = server.get("/v1/actions/t.gret").is(404).json();
    assert_eq!(
        near["detail"],
        "no action 't.gret' (did you mean 't.greet'?)"
    );
}

#[test]
fn what_goes_wrong_has_the_exit_code_of_run() {
    let session = Kael::new().shell("fail", "", "exit 3");
    let server = Server::start(&session);
    for (script, kind, code) in [
        ("error('no luck')", "script", 1),
        ("os.exit(9)", "exit", 9),
        ("while true do end", "limit", 5),
        ("actions.t.fail({})", "failed", 6),
        ("actions.t.gone({})", "unknown_action", 1),
    ] {
        let body = json!({ "script": script, "name": "case.lua", "limits": { "cpu": "200ms" } });
        let run = server.post("/v1/runs", &body).is(202).json();
        let ended = server.ended(run["id"].as_str().expect("an id"));
        let told = (
            &ended["state"],
            &ended["error"]["kind"],
            &ended["exit_code"],
        );
        assert_eq!(
            told,
            (&json!("failed"), &json!(kind), &json!(code)),
            "{script}: {ended}"
        );
    }
    let run = server.submit("local function inner() error('deep') end\ninner()");
    let ended = server.ended(&run);
    assert!(
        ended["error"]["traceback"]
            .as_array()
            .is_some_and(|frames| frames.len() >= 2),
        "{ended}"
    );
}

#[test]
fn a_request_that_is_wrong_says_what_is_allowed() {
    let server = Server::owning(Kael::new());
    let wrong = |body: Value, status: u16, kind: &str, detail: &str| {
        let answer = server.post("/v1/runs", &body).is(status);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:kael:{kind}"), "{problem}");
        let told = problem["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail), "{told}");
    };
    wrong(json!({}), 422, "invalid", "`script` is missing");
    wrong(
        json!({ "script": "x = = 1" }),
        422,
        "script_error",
        "script.lua:1:",
    );
    wrong(
        json!({ "script": "", "scirpt": 1 }),
        422,
        "invalid",
        "unknown field `scirpt`",
    );
    wrong(
        json!({ "script": "", "priority": 101 }),
        422,
        "invalid",
        "from -100 to 100",
    );
    wrong(
        json!({ "script": "", "limits": { "memory": "9GiB" } }),
        422,
        "invalid",
        "`limits.memory` is 9 GiB",
    );
    wrong(
        json!({ "script": "", "start_at": "soon" }),
        422,
        "invalid",
        "`soon` is no time",
    );
    wrong(
        json!({ "script": "", "deadline": "2020-01-01T00:00:00Z" }),
        422,
        "invalid",
        "`deadline`",
    );
    wrong(
        json!({ "script": "", "name": "a\nb" }),
        422,
        "invalid",
        "`name`",
    );
    let bearer = format!("Bearer {}", server.token);
    let auth = ("Authorization", bearer.as_str());
    server
        .send("POST", "/v1/runs", &[auth], "{ no json")
        .is(400);
    server.send("PATCH", "/v1/runs", &[auth], "").is(405);
    server.get("/v1/nothing").is(404);
    server.get("/v1/runs/not-an-id").is(404);
    server
        .get("/v1/runs/0197a3c2-0000-7000-8000-000000000000")
        .is(404);
    server.get("/v1/runs?limit=0").is(400);
    server.get("/v1/runs?state=lost").is(400);
    server.get("/v1/runs?nonsense=1").is(400);
    let large = "x".repeat(17 << 20);
    let answer = server.post("/v1/runs", &json!({ "script": large }));
    assert_eq!(answer.status, 413, "{}", answer.head);
}

#[test]
fn an_idempotency_key_makes_a_run_once() {
    let server = Server::owning(Kael::new());
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", "k1"),
    ];
    let body = json!({ "script": "print(1)" }).to_string();
    let first = server.send("POST", "/v1/runs", &headers, &body).is(202);
    let again = server.send("POST", "/v1/runs", &headers, &body).is(200);
    assert_eq!(first.json()["id"], again.json()["id"]);
    let location = first.header("location").map(str::to_owned);
    assert_eq!(
        location,
        first.json()["id"]
            .as_str()
            .map(|id| format!("/v1/runs/{id}"))
    );
    let other = json!({ "script": "print(2)" }).to_string();
    let problem = server
        .send("POST", "/v1/runs", &headers, &other)
        .is(409)
        .json();
    assert_eq!(problem["type"], "urn:kael:key_reused");
    assert_eq!(
        server.get("/v1/runs").json()["runs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn lists_have_pages_and_filters() {
    let server = Server::owning(Kael::new());
    let mut all = Vec::new();
    for n in 0..5 {
        let label = if n % 2 == 0 { "even" } else { "odd" };
        let body = json!({ "script": "print(1)", "name": format!("n{n}.lua"), "labels": { "kind": label, "q\"%": "x" } });
        let run = server.post("/v1/runs", &body).is(202).json();
        all.push(run["id"].as_str().expect("an id").to_owned());
    }
    for run in &all {
        server.ended(run);
    }
    all.reverse();
    let (mut seen, mut path) = (Vec::new(), "/v1/runs?limit=2".to_owned());
    loop {
        let page = server.get(&path).is(200).json();
        let runs = page["runs"].as_array().cloned().unwrap_or_default();
        seen.extend(
            runs.iter()
                .map(|run| run["id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/runs?limit=2&cursor={next}");
    }
    assert_eq!(seen, all);
    let count = |query: &str| {
        let page = server.get(&format!("/v1/runs?{query}")).is(200).json();
        page["runs"].as_array().map(Vec::len)
    };
    assert_eq!(count("label=kind%3Deven"), Some(3));
    assert_eq!(count("label=q%22%25%3Dx"), Some(5));
    assert_eq!(count("label=kind%3D%25"), Some(0));
    assert_eq!(count("name=n3.lua"), Some(1));
    assert_eq!(count("state=succeeded"), Some(5));
    assert_eq!(count("state=queued"), Some(0));
    assert_eq!(count("since=2100-01-01T00:00:00Z"), Some(0));
}

#[test]
fn runs_are_cancelled_before_they_begin_and_while_they_run() {
    let session = Kael::new().shell("wait", "", "sleep 600");
    let server = Server::start(&session);
    let later = json!({ "script": "print(1)", "start_at": "2100-01-01T00:00:00Z" });
    let later = server.post("/v1/runs", &later).is(202).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let running = server.submit("actions.t.wait({})");
    while server.get(&format!("/v1/runs/{running}/calls")).json()["calls"]
        .as_array()
        .is_none_or(Vec::is_empty)
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for run in [&later, &running] {
        server
            .post(
                &format!("/v1/runs/{run}/cancel"),
                &json!({ "reason": "a test" }),
            )
            .is(202);
        let ended = server.ended(run);
        assert_eq!(
            (&ended["state"], &ended["exit_code"]),
            (&json!("cancelled"), &json!(143)),
            "{ended}"
        );
        let again = server
            .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
            .is(409)
            .json();
        assert_eq!(again["type"], "urn:kael:wrong_state");
    }
    let audit = server.get("/v1/audit").is(200).json();
    let cancels = audit["entries"].as_array().expect("entries").iter();
    let cancels = cancels
        .filter(|entry| entry["what"] == "run.cancel" && entry["detail"]["reason"] == "a test");
    assert_eq!(cancels.count(), 2, "{audit}");
}

#[test]
fn a_run_waits_for_its_time() {
    let server = Server::owning(Kael::new());
    let soon = std::time::SystemTime::now() + std::time::Duration::from_millis(1500);
    let soon = kael_engine::run_info::timestamp(soon);
    let body = json!({ "script": "print('now')", "start_at": soon });
    let run = server.post("/v1/runs", &body).is(202).json();
    let ended = server.ended(run["id"].as_str().expect("an id"));
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert!(ended["started"].as_str() >= Some(soon.as_str()), "{ended}");
}

#[test]
fn a_script_is_checked_without_being_run() {
    let session = Kael::new().shell("n", "params = { count = 'integer' }", "echo 1");
    let server = Server::start(&session);
    let checked = server
        .post("/v1/runs/check", &json!({ "script": "print(1)\npirnt(2)" }))
        .is(200)
        .json();
    assert_eq!(checked["problems"][0]["line"], 2, "{checked}");
    let clean = server
        .post("/v1/runs/check", &json!({ "script": "print(1)" }))
        .is(200)
        .json();
    assert_eq!(clean["problems"], json!([]));
    assert_eq!(server.get("/v1/runs").json()["runs"], json!([]));
}
