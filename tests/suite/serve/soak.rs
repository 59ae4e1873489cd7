//! A server that works for a long time, and is killed now and then.
//!
//! For two minutes in the suite, and for as many seconds as `KAEL_SOAK_SECONDS` says. Runs of three
//! tenants end in every way there is, wait without a process, are cancelled, and are followed. At
//! the end every run that was acknowledged has ended as its script says, and the process holds no
//! more than it did early on.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Server;
use super::noting::Noting;

/// How often the server is killed.
const KILLS: u32 = 4;
/// Memory that the last server may have more than it had after its first rounds, in MiB.
const GROWTH: f64 = 48.0;
const CONFIG: &str = "tenants:
  - { name: default, actions: actions, keep_output: 20s, keep_runs: 40s }
  - { name: small, actions: actions, max_running: 2 }
  - { name: heavy, actions: actions, weight: 4 }
";

/// A script, and what becomes of it.
struct Kind {
    script: &'static str,
    state: &'static str,
    /// What it prints, in which N stands for the number of the round.
    output: &'static str,
}

const KINDS: [Kind; 7] = [
    Kind {
        script: "print('a', N) return N",
        state: "succeeded",
        output: "a\tN\n",
    },
    Kind {
        script: "print('b') error('N')",
        state: "failed",
        output: "b\n",
    },
    Kind {
        script: "print(actions.t.note({ n = N }).n, actions.t.note({}).n)",
        state: "succeeded",
        output: "1\t2\n",
    },
    Kind {
        script: "sleep(1.2) print('c', N)",
        state: "succeeded",
        output: "c\tN\n",
    },
    Kind {
        script: "local child = runs.start{ script = \"print('child') return N\", wait = true } print('d', child)",
        state: "succeeded",
        output: "d\tN\n",
    },
    Kind {
        script: "while true do end",
        state: "failed",
        output: "",
    },
    Kind {
        script: "print('e', wait_for('go', { timeout = '1h' }).n)",
        state: "succeeded",
        output: "e\tN\n",
    },
];

fn seconds() -> u64 {
    let said = std::env::var("KAEL_SOAK_SECONDS").ok();
    said.map_or(120, |text| text.parse().expect("seconds"))
}

/// Resident memory in MiB, and open descriptors.
fn held(server: &Server) -> (f64, usize) {
    let process = Path::new("/proc").join(server.child.id().to_string());
    let status = fs::read_to_string(process.join("status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.expect("a size").parse().expect("a number");
    let open = fs::read_dir(process.join("fd")).expect("it runs").count();
    (kib / 1024.0, open)
}

/// A run of every kind for a tenant, in this round.
struct Round {
    number: u64,
    token: String,
    runs: Vec<String>,
    cancelled: String,
}

impl Round {
    fn begin(server: &Server, number: u64, token: &str) -> Self {
        let submit = |script: &str| -> String {
            let body = json!({ "script": script, "limits": { "cpu": "200ms" } });
            let answer = server.ask("POST", "/v1/runs", Some(token), &body).is(202);
            answer.json()["id"].as_str().expect("an id").to_owned()
        };
        let text = number.to_string();
        let runs: Vec<String> = KINDS
            .iter()
            .map(|kind| submit(&kind.script.replace('N', &text)))
            .collect();
        let cancelled = submit("print(wait_for('never'))");
        let path = format!("/v1/runs/{}/signals/go", runs[KINDS.len() - 1]);
        let signal = json!({ "payload": { "n": number }, "id": "once" });
        server.ask("POST", &path, Some(token), &signal).is(202);
        let path = format!("/v1/runs/{cancelled}/cancel");
        server.ask("POST", &path, Some(token), &json!({})).is(202);
        Self {
            number,
            token: token.to_owned(),
            runs,
            cancelled,
        }
    }

    fn ended(&self, server: &Server, run: &str) -> Value {
        let late = Instant::now() + Duration::from_secs(180);
        loop {
            let path = format!("/v1/runs/{run}?wait=10s");
            let now = server.ask("GET", &path, Some(&self.token), &Value::Null);
            let now = now.is(200).json();
            if now["ended"].is_string() {
                return now;
            }
            assert!(Instant::now() < late, "{now}");
        }
    }

    /// Waits for the end of all of them, and looks at what they did.
    fn check(&self, server: &Server) {
        for (kind, run) in KINDS.iter().zip(&self.runs) {
            let ended = self.ended(server, run);
            assert_eq!(ended["state"], kind.state, "{}: {ended}", kind.script);
            let path = format!("/v1/runs/{run}/output");
            let output = server.ask("GET", &path, Some(&self.token), &Value::Null);
            let wanted = kind.output.replace('N', &self.number.to_string());
            assert_eq!(output.is(200).body, wanted, "{}", kind.script);
        }
        let ended = self.ended(server, &self.cancelled);
        assert_eq!(ended["state"], "cancelled", "{ended}");
    }
}

#[test]
fn a_server_that_works_for_long_loses_nothing_and_grows_no_larger() {
    let noting = Noting::new("effects = 'idempotent'");
    let session = &noting.kael;
    fs::write(session.path().join("serve.yaml"), CONFIG).expect("a file");
    let arguments = ["--config", "serve.yaml"];
    let mut server = Server::start_with(session, &arguments);
    let operator = server.token.clone();
    let mut tokens = vec![operator.clone()];
    tokens.extend(["small", "heavy"].map(|tenant| server.make_token(tenant, "submitter")));
    let begun = Instant::now();
    let all = Duration::from_secs(seconds());
    let (mut number, mut kills) = (0, 0);
    let mut early = None;
    while begun.elapsed() < all {
        number += 1;
        let mut rounds: Vec<Round> = tokens
            .iter()
            .map(|token| Round::begin(&server, number, token))
            .collect();
        // A reader that follows a run, and goes away in the middle.
        let path = format!("/v1/runs/{}/events", rounds[0].runs[3]);
        let bearer = format!("Bearer {operator}");
        drop(server.open("GET", &path, &[("Authorization", bearer.as_str())], ""));
        if begun.elapsed() > all * (kills + 1) / (KILLS + 1) {
            kills += 1;
            server.kill();
            server = Server::restart_with(session, &operator, &arguments);
            early = None;
        }
        for round in rounds.drain(..) {
            round.check(&server);
        }
        if early.is_none() && number % 3 == 0 {
            early = Some(held(&server));
        }
    }
    assert!(kills >= KILLS - 1, "{kills} of {KILLS}");
    let (early, now) = (early.expect("rounds of the last server"), held(&server));
    println!("{number} rounds, {kills} kills; MiB and descriptors: {early:?}, {now:?}");
    assert!(now.0 < early.0 + GROWTH, "{early:?} {now:?}");
    assert!(now.1 <= early.1 + 16, "{early:?} {now:?}");
    // A key names one call, and a call that was begun again has kept its key.
    let mut keys: Vec<_> = noting
        .notes()
        .into_iter()
        .map(|note| note[2].clone())
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len() as u64, number * 6, "two calls of three tenants");
    assert_eq!(server.terminate(), Some(0));
}
