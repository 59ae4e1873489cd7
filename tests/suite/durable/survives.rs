//! A run with branches, a signal, a timer, a child and an approval ends as it would have, however often its processes are killed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Session;

const SCRIPT: &str = r#"
    local text = "sleep(0.2) local n = actions.t.note({}).n sleep(0.2) return { n = n }"
    local a, b, c, d = parallel(
      function() sleep(0.3) return actions.t.note({}).n end,
      function() return race(function() return wait_for("go") end, function() sleep("1h") error("too late") end) end,
      function() return runs.start { name = "child.lua", script = text, wait = true }.n end,
      function() return actions.t.note({ mode = "big" }).n end)
    print(a, b, c, d)"#;

const POLICY: &str = "version: 1\ndefault: allow\nrules:\n  - { approve: t.note, when: { mode: big }, within: 24h }\n";

/// Says yes to the call that waits for it. Whether there was one.
fn approved(session: &Session) -> bool {
    let waiting = session.json(&["runs", "approvals", "--json"]);
    let Some(one) = waiting["approvals"].as_array().and_then(|all| all.first()) else {
        return false;
    };
    let call = one["call"].to_string();
    let text = |key: &str| one[key].as_str().expect("a text");
    let (run, digest) = (text("run"), text("digest"));
    session.kael(&["runs", "approve", run, &call, digest]).0 == 0
}

/// Numbers that are spread, the same in every run of the test.
struct Spread(u64);

impl Spread {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn a_run_survives_being_killed_at_twenty_moments() {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    let kael = session.kael.file("actions/policy.yaml", POLICY);
    let session = Session { kael, ..session };
    let mut is_approved = false;
    let mut spread = Spread(19);
    let mut host = session.start();
    let late = Instant::now() + Duration::from_secs(300);
    let id = loop {
        let listed = session.json(&["runs", "ls", "--json"]);
        let listed = listed["runs"].as_array().expect("a list");
        if let Some(parent) = listed.iter().find(|run| run["parent"].is_null()) {
            break parent["run"].as_str().expect("an id").to_owned();
        }
        assert!(Instant::now() < late, "no run is written down");
    };
    for round in 0..20 {
        std::thread::sleep(Duration::from_millis(spread.below(900)));
        host.kill().expect("killed");
        host.wait().expect("it ends");
        if round == 10 {
            session.prints(
                &["runs", "signal", &id, "go", "7"],
                &format!("{id}: signalled\n"),
            );
        }
        is_approved = is_approved || (round > 12 && approved(&session));
        let mut command = session.kael.command();
        match round % 2 {
            0 => command.args(["runs", "resume", &id]),
            _ => command.args(["runs", "work"]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        host = command.spawn().expect("the host starts");
    }
    host.kill().expect("killed");
    host.wait().expect("it ends");
    loop {
        session.kael(&["runs", "resume", &id]);
        is_approved = is_approved || approved(&session);
        assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
        let shown = session.json(&["runs", "show", &id, "--json"]);
        if shown["state"] == "succeeded" {
            break;
        }
        assert!(Instant::now() < late, "{shown}");
    }
    // Each note has a number of its own, in the order in which they were made.
    let (_, output, _) = session.kael(&["runs", "show", &id, "--output"]);
    let values: Vec<&str> = output.trim_end().split('\t').collect();
    let [a, "1", c, d] = values[..] else {
        panic!("{output}");
    };
    assert_eq!(
        BTreeSet::from([a, c, d]),
        BTreeSet::from(["1", "2", "3"]),
        "{output}"
    );
    // One child, however often the call that starts it was made; and one key for each effect.
    for run in session.runs(2) {
        let run_id = run["run"].as_str().expect("an id");
        assert_eq!(run["state"], "succeeded", "{run}");
        assert_eq!(session.kael(&["runs", "verify", run_id]).0, 0);
    }
    let keys: BTreeSet<String> = session.notes().iter().map(|note| note[2].clone()).collect();
    assert_eq!(keys.len(), 3, "{:?}", session.notes());
}
