//! Runs that a person ends on a server, so that their scripts clean up, or at once.

use std::process::Command;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::json;

use super::Server;
use super::house::client;
use super::noting::Noting;

const CLEANS: &str = "local a <close> = setmetatable({}, { __close = function()\n\
    print('back', actions.t.note({ back = 1 }).n) end })\n\
    print('first', actions.t.note({}).n)\n";

#[test]
fn a_run_cleans_up_when_it_is_cancelled_and_not_with_now() {
    let noting = Noting::new("effects = 'once'");
    let server = Server::start(&noting.kael);
    // One that waits without a slot, and one that calls an action.
    for (rest, state) in [
        ("wait_for('go')", "waiting"),
        ("actions.t.note({ mode = 'wait' })", "running"),
    ] {
        let script = format!("{CLEANS}{rest}");
        for mode in ["graceful", "now"] {
            let before = noting.notes().len();
            let run = server.submit(&script);
            noting.wait_for_notes(before + if state == "waiting" { 1 } else { 2 });
            server.until(&run, state);
            let path = format!("/v1/runs/{run}/cancel");
            let answer = server
                .post(&path, &json!({ "mode": mode, "reason": "enough" }))
                .is(202)
                .json();
            assert_eq!(answer["id"], run.as_str(), "{answer}");
            let ended = server.ended(&run);
            assert_eq!(
                (&ended["state"], &ended["exit_code"]),
                (&json!("cancelled"), &json!(143)),
                "{ended}"
            );
            let audit = server.get("/v1/audit").is(200).json();
            let mut noted = audit["entries"].as_array().expect("entries").iter();
            let noted = noted.find(|entry| entry["object"] == run.as_str());
            assert_eq!(
                noted.expect("noted")["detail"],
                json!({ "reason": "enough", "mode": mode }),
                "{audit}"
            );
            let message = ended["error"]["message"].as_str().expect("a message");
            assert!(message.ends_with("cancelled the run"), "{ended}");
            let output = server.output(&run);
            let back = output.contains("back\t");
            assert_eq!(back, mode == "graceful", "{state} {mode}: {output}");
            let lines = server
                .get(&format!("/v1/runs/{run}/journal"))
                .is(200)
                .body
                .clone();
            assert_eq!(
                lines.contains("\"kind\":\"cancel\""),
                mode == "graceful" || state == "waiting"
            );
        }
    }
    let run = server.submit("print(1)");
    let path = format!("/v1/runs/{run}/cancel");
    server.ended(&run);
    server.post(&path, &json!({ "mode": "graceful" })).is(409);
    let run = server.submit("wait_for('go')");
    server.until(&run, "waiting");
    let path = format!("/v1/runs/{run}/cancel");
    let refused = server
        .post(&path, &json!({ "mode": "soft" }))
        .is(422)
        .json();
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.contains("graceful or now, got `soft`"), "{refused}");
    let viewer = server.make_token("default", "viewer");
    server.ask("POST", &path, Some(&viewer), &json!({})).is(403);
    let (code, stdout, _) = client(&noting.kael, &server, &["cancel", &run]);
    assert_eq!((code, stdout), (0, format!("{run} is told to end\n")));
    assert_eq!(server.ended(&run)["state"], "cancelled");
    let run = server.submit("wait_for('go')");
    server.until(&run, "waiting");
    let (code, stdout, _) = client(&noting.kael, &server, &["cancel", "--now", &run]);
    assert_eq!((code, stdout), (0, format!("{run} is cancelled\n")));
    assert_eq!(server.ended(&run)["state"], "cancelled");
}

/// The wish is in the store: a server that dies before the script has its error tells it when it is back.
#[test]
fn a_cancel_survives_the_server() {
    let noting = Noting::new("effects = 'idempotent'");
    let server = Server::start(&noting.kael);
    let token = server.token.clone();
    let run = server.submit(&format!("{CLEANS}actions.t.note({{ mode = 'wait' }})"));
    noting.wait_for_notes(2);
    server
        .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
        .is(202);
    server.kill();
    let server = Server::restart(&noting.kael, &token);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert!(server.output(&run).contains("back\t"));
}

#[test]
fn a_script_that_does_not_end_is_ended() {
    let noting = Noting::new("effects = 'once'");
    let server = Server::start(&noting.kael);
    let run = server.submit("while true do pcall(sleep, 60) sleep(0.2) end");
    server.until(&run, "waiting");
    let asked = Instant::now();
    server
        .post(&format!("/v1/runs/{run}/cancel"), &json!({}))
        .is(202);
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert!(asked.elapsed() > Duration::from_secs(9));
}

/// A run that is claimed is in the store alone for a moment: whoever cancels it then is answered, and it ends when it can.
#[test]
fn a_run_between_two_states_ends_when_it_is_in_one() {
    let session = Kael::new();
    let server = Server::start(&session);
    let run = server.submit("wait_for('go')");
    server.until(&run, "waiting");
    let set = |state: &str| {
        let change = "import sqlite3, sys\n\
                      store = sqlite3.connect(sys.argv[1], timeout=60)\n\
                      changed = store.execute('UPDATE srv_runs SET state = ?', (sys.argv[2],)).rowcount\n\
                      store.commit()\n\
                      assert changed == 1, changed";
        let file = session.path().join("data/server/store/serve.db");
        let changed = Command::new("python3")
            .args(["-c", change])
            .arg(file)
            .arg(state)
            .status();
        assert!(changed.expect("python3 starts").success());
    };
    // As it is between its claim and what runs it.
    set("1");
    let path = format!("/v1/runs/{run}/cancel");
    let answer = server.post(&path, &json!({ "mode": "now" })).is(202).json();
    assert_eq!(answer["state"], "running", "{answer}");
    set("5");
    assert_eq!(server.ended(&run)["state"], "cancelled");
}
