//! An action that notes its calls, and what tests of runs that wait ask of a server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::Value;

use super::{PATIENCE, Server};

/// Notes its key, and waits until the file `go` is there when it is asked to.
const NOTE: &str = r#"params=$(cat)
echo "$KAEL_CALL $KAEL_ATTEMPT $KAEL_IDEMPOTENCY_KEY" >> "STATE/notes"
case $params in *wait*) while [ ! -e "STATE/go" ]; do sleep 0.02; done ;; esac
echo '{"n":'"$KAEL_CALL"'}'"#;

/// A repo whose action `t.note` notes its calls.
pub(super) struct Noting {
    pub(super) kael: Kael,
    pub(super) state: PathBuf,
}

impl Noting {
    /// With the action `t.note`, whose definition has these fields.
    pub(super) fn new(fields: &str) -> Self {
        let kael = Kael::new();
        let (state, writable) = kael.state();
        let code = NOTE.replace("STATE", &state);
        let kael = kael.shell("note", &format!("{writable}, {fields}"), &code);
        kael.write_repo();
        let state = state.into();
        Self { kael, state }
    }

    /// What the action has noted: call, attempt and key.
    pub(super) fn notes(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.state.join("notes")).unwrap_or_default();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        text.lines().map(words).collect()
    }

    pub(super) fn go(&self) {
        std::fs::write(self.state.join("go"), "").expect("a file");
    }

    #[track_caller]
    pub(super) fn wait_for_notes(&self, count: usize) {
        let late = Instant::now() + PATIENCE;
        while self.notes().len() < count {
            assert!(Instant::now() < late, "{:?}", self.notes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Server {
    /// Waits until a run has that state.
    #[track_caller]
    pub(super) fn until(&self, run: &str, state: &str) -> Value {
        let late = Instant::now() + PATIENCE;
        loop {
            let now = self.get(&format!("/v1/runs/{run}")).is(200).json();
            if now["state"] == state {
                return now;
            }
            assert!(Instant::now() < late && now["ended"].is_null(), "{now}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a call waits for a person: the call, its digest among it.
    pub(super) fn asked(&self) -> Value {
        let late = Instant::now() + PATIENCE;
        loop {
            let open = self.get("/v1/approvals").is(200).json();
            if let Some(one) = open["approvals"].get(0) {
                return one.clone();
            }
            assert!(Instant::now() < late, "{open}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn output(&self, run: &str) -> String {
        self.get(&format!("/v1/runs/{run}/output")).is(200).body
    }
}
