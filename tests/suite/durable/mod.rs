//! Runs that are written down: what is in their journals, and how they go on after their process has died.

mod approvals;
mod archive;
mod budgets;
mod cancel;
mod continuing;
mod crash;
mod fork;
mod formats;
mod going_on;
mod inspect;
mod large;
mod look;
mod survives;
mod waiting;
mod workflows;

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::Value;

/// Notes its key and its attempt, and waits for the file `go` when it is asked to.
const NOTE: &str = r#"params=$(cat)
echo "$KAEL_CALL $KAEL_ATTEMPT $KAEL_IDEMPOTENCY_KEY" >> "$NOTES"
case $params in *wait*) while [ ! -e "$(dirname "$NOTES")/go" ]; do sleep 0.02; done ;; esac
echo '{"n":'"$KAEL_CALL"'}'"#;

struct Session {
    kael: Kael,
    notes: PathBuf,
}

impl Session {
    /// With the action `t.note`, whose definition has these fields.
    fn new(fields: &str, script: &str) -> Self {
        let kael = Kael::new();
        let (state, writable) = kael.state();
        let notes = PathBuf::from(state).join("notes");
        let fields = format!("{writable}, env = {{ 'NOTES' }}, {fields}");
        let kael = kael
            .env("NOTES", &notes.display().to_string())
            .shell("note", &fields, NOTE)
            .file("script.lua", script);
        Self { kael, notes }
    }

    /// Runs a command to its end: its exit code, stdout and stderr.
    fn kael(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.kael.command().args(words).output();
        let output = output.expect("the host starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().unwrap_or(-1);
        (code, text(output.stdout), text(output.stderr))
    }

    #[track_caller]
    fn prints(&self, words: &[&str], wanted: &str) {
        let (code, stdout, stderr) = self.kael(words);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, wanted, ""));
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let (_, stdout, stderr) = self.kael(words);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
    }

    fn runs(&self, count: usize) -> Vec<Value> {
        let listed = self.json(&["runs", "ls", "--json"]);
        let listed = listed["runs"].as_array().expect("a list").clone();
        assert_eq!(listed.len(), count, "{listed:?}");
        listed
    }

    /// The one run, and its state.
    fn run(&self) -> (String, String) {
        let runs = self.runs(1);
        let text = |key: &str| runs[0][key].as_str().expect("a text").to_owned();
        (text("run"), text("state"))
    }

    /// The same, if it was written down.
    fn runs_if_any(&self) -> Option<(String, String)> {
        let listed = self.json(&["runs", "ls", "--json"]);
        let run = listed["runs"].as_array().expect("a list").first()?.clone();
        let text = |key: &str| run[key].as_str().expect("a text").to_owned();
        Some((text("run"), text("state")))
    }

    /// What the action has noted: call, attempt and key.
    fn notes(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(&self.notes).unwrap_or_default();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        text.lines().map(words).collect()
    }

    fn start(&self) -> Child {
        let mut command = self.kael.command();
        command.args(["run", "--journal", "script.lua"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the host starts")
    }

    /// Starts the script, and kills the host when the action was begun so many times.
    fn kill_at(&self, begun: usize) {
        let mut host = self.start();
        let late = Instant::now() + Duration::from_secs(60);
        while self.notes().len() < begun {
            assert!(Instant::now() < late, "{:?}", self.notes());
            std::thread::sleep(Duration::from_millis(5));
        }
        host.kill().expect("killed");
        host.wait().expect("it ends");
    }

    fn go(&self) {
        std::fs::write(self.notes.with_file_name("go"), "").expect("a file");
    }
}

const TWO: &str = "print('begin') local a = actions.t.note({}) print('first', a.n)\n\
                   local b = actions.t.note({ mode = 'wait' }) print('second', b.n)";
