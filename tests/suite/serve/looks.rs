//! What runs a script and changes nothing: a run behind an entry of its journal, a dry run, and what editors complete.

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;

/// A script with two frames, a call, a print and a variable of each kind.
const SCRIPT: &str = "local hosts = { 'a', 'b' }
local function scale(app, replicas)
  local before = 'before ' .. app
  print(before)
  local done = actions.t.ok({ app = app })
  print('after')
  return done
end
scale('web', 3)
print('the end')
";

fn moment(server: &Server, run: &str, seq: &str) -> Value {
    server
        .get(&format!("/v1/runs/{run}/at/{seq}"))
        .is(200)
        .json()
}

#[test]
fn a_run_is_seen_as_it_was_behind_each_entry() {
    let kael = Kael::new().shell("ok", "", "echo '{\"up\":true}'");
    let server = Server::start(&kael);
    let run = server.post(
        "/v1/runs",
        &json!({ "script": SCRIPT, "name": "scale.lua" }),
    );
    let run = run.is(202).json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let last = moment(&server, &run, "last");
    let count = last["last"].as_u64().expect("a number");
    assert_eq!(last["seq"], count);
    assert_eq!(last["output"], "before web\nafter\nthe end\n");
    let all: Vec<Value> = (0..=count)
        .map(|seq| moment(&server, &run, &seq.to_string()))
        .collect();
    assert_eq!(all[0]["entry"]["kind"], "begin");
    // The output only grows, and all of it is there at the end.
    let lengths: Vec<usize> = all
        .iter()
        .map(|one| one["output"].as_str().expect("a text").len())
        .collect();
    assert!(
        lengths.is_sorted() && lengths[0] < lengths[lengths.len() - 1],
        "{lengths:?}"
    );
    // Where the call was about to run, the script was in the function that makes it.
    let intent = all
        .iter()
        .find(|one| one["entry"]["kind"] == "intent")
        .expect("a call");
    let frames = intent["frames"].as_array().expect("frames");
    assert!(
        frames[0]
            .as_str()
            .is_some_and(|frame| frame.starts_with("scale.lua:5:")),
        "{intent}"
    );
    assert!(
        frames[1]
            .as_str()
            .is_some_and(|frame| frame.starts_with("scale.lua:9:")),
        "{intent}"
    );
    let variables = &intent["variables"];
    assert_eq!(variables["before"], "\"before web\"", "{intent}");
    assert_eq!(variables["replicas"], "3", "{intent}");
    assert!(
        variables["hosts"]
            .as_str()
            .is_some_and(|text| text.contains('b')),
        "{intent}"
    );
    assert!(
        variables["print"].is_null() && variables["done"].is_null(),
        "{intent}"
    );
    assert_eq!(intent["entry"]["action"], "t.ok");
    // Looking changes nothing: the run has its calls and its output as before.
    let calls = server.get(&format!("/v1/runs/{run}/calls")).is(200).json();
    assert_eq!(
        calls["calls"].as_array().expect("calls").len(),
        1,
        "{calls}"
    );
    for (seq, hint) in [
        ((count + 1).to_string(), "the entries 0 to"),
        ("x".to_owned(), "the entries 0 to"),
    ] {
        let none = server
            .get(&format!("/v1/runs/{run}/at/{seq}"))
            .is(404)
            .json();
        assert!(
            none["hint"]
                .as_str()
                .is_some_and(|text| text.contains(hint)),
            "{none}"
        );
    }
    server.make_tenant("other", &json!({}));
    let other = server.make_token("other", "manager");
    server
        .ask(
            "GET",
            &format!("/v1/runs/{run}/at/1"),
            Some(&other),
            &Value::Null,
        )
        .is(404);
}

#[test]
fn what_a_script_does_to_its_own_names_hides_nothing_else() {
    let server = Server::owning(Kael::new());
    let script = "local print_it, inspect, type = print, nil, 'x'
        local evil = setmetatable({}, { __tostring = function() while true do end end, __index = function() error('no') end })
        local long = string.rep('x', 100000)
        string = nil
        print_it('<b>')
        local n = 7
        print_it(n)";
    let run = server.submit(script);
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let all = moment(&server, &run, "last");
    assert_eq!(all["output"], "<b>\n7\n", "{all}");
    // One of the values takes for ever to show: the frames are there without them.
    let inside = moment(&server, &run, "1");
    let frame = inside["frames"][0].as_str().expect("a frame");
    assert!(
        frame.contains("locals print_it") && frame.contains("long"),
        "{inside}"
    );
    assert_eq!(inside["variables"], json!({}), "{inside}");
    let script = "local print_it, inspect, type = print, nil, 'x'
        local long = string.rep('x', 100000)
        string = nil
        print_it('<b>')";
    let run = server.submit(script);
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let inside = moment(&server, &run, "1");
    assert_eq!(inside["variables"]["type"], "\"x\"", "{inside}");
    let long = inside["variables"]["long"].as_str().expect("a text");
    assert!(long.len() < 600, "{}", long.len());
}

#[test]
fn a_journal_that_takes_long_holds_up_nobody_else() {
    let server = Server::owning(Kael::new());
    server.make_tenant("slow", &json!({ "limits": { "cpu": "12s" } }));
    let token = server.make_token("slow", "submitter");
    let endless = json!({ "script": "print('begun') while true do end" });
    let run = server
        .ask("POST", "/v1/runs", Some(&token), &endless)
        .is(202)
        .json();
    let run = run["id"].as_str().expect("an id").to_owned();
    let over = |run: &str| {
        let path = format!("/v1/runs/{run}?wait=30s");
        server
            .ask("GET", &path, Some(&token), &Value::Null)
            .is(200)
            .json()
    };
    while over(&run)["ended"].is_null() {}
    assert_eq!(over(&run)["error"]["limit"], "cpu");
    let path = format!("/v1/runs/{run}/at/last");
    let quick = server.submit("print(1) print(2)");
    server.ended(&quick);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| server.ask("GET", &path, Some(&token), &Value::Null));
        // Another tenant looks and runs meanwhile.
        assert_eq!(moment(&server, &quick, "last")["output"], "1\n2\n");
        let other = server.submit("print(3)");
        assert_eq!(server.ended(&other)["state"], "succeeded");
        let late = late.join().expect("an answer").is(422).json();
        assert!(
            late["detail"]
                .as_str()
                .is_some_and(|text| text.contains("beyond what a look may use")),
            "{late}"
        );
    });
    // The place is free again.
    let first = server.ask(
        "GET",
        &format!("/v1/runs/{run}/at/0"),
        Some(&token),
        &Value::Null,
    );
    assert_eq!(first.is(200).json()["output"], "");
}

#[test]
fn a_journal_of_many_bytes_is_read_for_no_request() {
    let code = "printf '\"'; head -c 23000000 /dev/zero | tr '\\0' x; printf '\"'";
    let kael = Kael::new().shell("big", "effects = 'none'", code);
    let server = Server::start(&kael);
    let run = server.submit("for _ = 1, 3 do print(#actions.t.big({})) end");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let path = format!("/v1/runs/{run}");
    for refused in [
        server.get(&format!("{path}/at/last")),
        server.get(&format!("{path}/at/0")),
        server.post(&format!("{path}/fork"), &json!({ "at": 0 })),
        server.post(
            &format!("{path}/fork"),
            &json!({ "at": 0, "script": "print(1)" }),
        ),
    ] {
        let refused = refused.is(413).json();
        let detail = refused["detail"].as_str().expect("a text");
        assert!(
            detail.ends_with("and a request reads one of up to 67108864"),
            "{refused}"
        );
    }
    let runs = server.get("/v1/runs").is(200).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
}

#[test]
fn a_dry_run_calls_nothing_and_says_what_it_would() {
    let kael = Kael::new()
        .shell("ok", "params = { app = 'string' }, example = { up = true }", "echo ran > /dev/stderr; echo '{}'")
        .file("actions/policy.yaml", "version: 1\ndefault: allow\nrules:\n  - deny: t.ok\n    when: { app: prod }\n    reason: not there\n");
    let server = Server::start(&kael);
    let dry = |body: Value| server.post("/v1/runs/dry-run", &body);
    let done =
        dry(json!({ "script": "print(arg[1], actions.t.ok({ app = 'web' }).up)", "args": ["x"] }));
    let done = done.is(200).json();
    assert_eq!(
        (&done["state"], &done["output"]),
        (&json!("succeeded"), &json!("x\ttrue\n")),
        "{done}"
    );
    let call = &done["calls"][0];
    assert_eq!(call["action"], "t.ok");
    assert_eq!(call["params"], r#"{"app":"web"}"#);
    assert_eq!(call["from"], "the `example` of its definition");
    // Nothing was kept or run.
    let runs = server.get("/v1/runs").is(200).json();
    assert_eq!(runs["runs"], json!([]));
    let denied = dry(json!({ "script": "actions.t.ok({ app = 'prod' })", "name": "p.lua" }))
        .is(200)
        .json();
    assert_eq!(
        (&denied["state"], &denied["error"]["kind"]),
        (&json!("failed"), &json!("denied")),
        "{denied}"
    );
    assert_eq!(denied["calls"], json!([]));
    let syntax = dry(json!({ "script": "x = =", "name": "p.lua" }))
        .is(200)
        .json();
    assert_eq!(syntax["error"]["kind"], "syntax", "{syntax}");
    let many = dry(json!({ "script": "for i = 1, 5000 do actions.t.ok({ app = 'a' }) end" }));
    let many = many.is(200).json();
    assert_eq!(many["error"]["limit"], "calls", "{many}");
    assert_eq!(many["calls"].as_array().expect("calls").len(), 1000);
    let endless = dry(json!({ "script": "while true do end", "limits": { "cpu": "300ms" } }));
    assert_eq!(endless.is(200).json()["error"]["limit"], "cpu");
    server.store("stored", "print('stored')");
    let stored = dry(json!({ "name": "stored@1" })).is(200).json();
    assert_eq!(stored["output"], "stored\n");
    for (body, status) in [
        (json!({ "name": "none" }), 404),
        (json!({}), 422),
        (json!({ "script": "", "limits": { "cpu": "9999h" } }), 422),
    ] {
        dry(body).is(status);
    }
}

/// A tenant without a repo has the standard library alone, and what its operator has granted.
#[test]
fn a_dry_run_without_a_repo_is_held_to_the_grants_of_its_tenant() {
    let session = Kael::new().file("open/there", "x");
    let server = Server::start(&session);
    let folder = session.path().canonicalize().expect("a path");
    let folder = folder.join("open");
    let place = folder.to_str().expect("text");
    let grants = json!({ "fs": [{ "path": place, "as": "/data", "mode": "read-write" }] });
    server.make_tenant("acme", &json!({ "grants": grants }));
    let token = server.make_token("acme", "submitter");
    let dry = |script: &str| {
        let body = json!({ "script": script });
        let answer = server.ask("POST", "/v1/runs/dry-run", Some(&token), &body);
        answer.is(200).json()
    };
    let done = dry("fs.write('/data/note', 'x') print('written')");
    assert_eq!(done["output"], "written\n", "{done}");
    assert_eq!(done["calls"][0]["action"], "kael.fs.write", "{done}");
    assert!(!folder.join("note").exists(), "a dry run has written");
    let denied = dry("fs.write('/etc/note', 'x')");
    assert_eq!(denied["error"]["kind"], "denied", "{denied}");
    assert_eq!(denied["calls"], json!([]));
}

#[test]
fn editors_complete_what_scripts_find() {
    let kael = Kael::new().shell("ok", "", "echo 1");
    let server = Server::start(&kael);
    let all = server.get("/v1/globals").is(200).json();
    let all = all["globals"].as_array().expect("globals");
    let of = |name: &str| all.iter().find(|global| global["name"] == name);
    assert_eq!(
        of("json.encode").expect("there")["signature"],
        "json.encode(value)"
    );
    assert!(
        of("json.encode").expect("there")["summary"]
            .as_str()
            .is_some_and(|text| text.contains("JSON"))
    );
    assert!(of("string.format").is_some() && of("print").is_some() && of("parallel").is_some());
    assert!(of("io").is_none() && of("define_action").is_none());
}
