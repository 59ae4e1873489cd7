//! Runs that are written down: what is in their journals, and how they go on after their process has died.

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

#[test]
fn a_run_that_is_written_down_prints_what_any_run_prints() {
    let session = Session::new(
        "",
        "print('a', os.time() > 0) print(actions.t.note({}).n) return 7",
    );
    session.prints(&["run", "--journal", "script.lua"], "a\ttrue\n1\n");
    let (id, state) = session.run();
    assert_eq!(state, "succeeded");
    session.prints(&["runs", "show", &id, "--output"], "a\ttrue\n1\n");
    let shown = session.json(&["runs", "show", &id, "--json"]);
    let kinds = shown["journal"].as_array().expect("a list").iter();
    let kinds: Vec<&str> = kinds
        .map(|entry| entry["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds[0], "begin", "{shown}");
    assert!(
        kinds.contains(&"intent") && kinds.contains(&"outcome"),
        "{kinds:?}"
    );
    assert_eq!(kinds.last(), Some(&"end"));
    // By the beginning of its id, and by none.
    let (code, stdout, _) = session.kael(&["runs", "show", &id[..12]]);
    assert!(
        code == 0 && stdout.contains("state    succeeded"),
        "{stdout}"
    );
    let (code, _, stderr) = session.kael(&["runs", "show", "nonsense"]);
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "Error: there is no run `nonsense`\nhint: kael-host runs ls lists them\n"
        )
    );
    // A run that is over stays as it is.
    let (code, _, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("is succeeded: only a run that is not over"),
        "{stderr}"
    );
    session.prints(&["runs", "rm", &id], "removed: 1\n");
    session.runs(0);
}

#[test]
fn a_run_that_was_killed_goes_on_and_an_idempotent_effect_keeps_its_key() {
    let session = Session::new("effects = 'idempotent'", TWO);
    session.kill_at(2);
    let (id, state) = session.run();
    assert_eq!(state, "interrupted");
    session.go();
    let (code, stdout, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.ends_with("second\t2\n"), "{stdout}");
    session.prints(
        &["runs", "show", &id, "--output"],
        "begin\nfirst\t1\nsecond\t2\n",
    );
    let notes = session.notes();
    let numbers: Vec<_> = notes
        .iter()
        .map(|note| (note[0].as_str(), note[1].as_str()))
        .collect();
    assert_eq!(numbers, [("1", "1"), ("2", "1"), ("2", "2")]);
    assert_eq!(notes[1][2], notes[2][2]);
    assert_ne!(notes[0][2], notes[1][2]);
    assert_eq!(session.run().1, "succeeded");
}

#[test]
fn an_effect_that_must_not_repeat_is_begun_once_and_its_doubt_is_a_persons() {
    let session = Session::new("effects = 'once'", TWO);
    session.kill_at(2);
    let (id, _) = session.run();
    let (code, _, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!(code, 7, "{stderr}");
    assert!(
        stderr.contains("call 2 of t.note was begun, and it is unknown whether it took place")
            && stderr.contains(&format!("kael-host runs resolve {id} 2 done|failed|retry")),
        "{stderr}"
    );
    let shown = session.runs(1).remove(0);
    assert_eq!(
        (shown["state"].as_str(), shown["reason"].as_str()),
        (Some("parked"), Some("in_doubt"))
    );
    // A call that is in no doubt, and a result that is no JSON.
    assert_eq!(session.kael(&["runs", "resolve", &id, "1", "done"]).0, 2);
    assert_eq!(
        session
            .kael(&["runs", "resolve", &id, "2", "done", "--result", "{"])
            .0,
        2
    );
    session.prints(
        &[
            "runs",
            "resolve",
            &id,
            "2",
            "done",
            "--result",
            r#"{"n":"settled"}"#,
        ],
        &format!("{id}: settled\n"),
    );
    assert_eq!(session.kael(&["runs", "resolve", &id, "2", "done"]).0, 2);
    let (code, stdout, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.ends_with("second\tsettled\n"), "{stdout}");
    assert_eq!(session.notes().len(), 2);
}

#[test]
fn a_doubt_can_be_a_failure_or_another_attempt() {
    let script = "print(pcall(actions.t.note, { mode = 'wait' }))";
    let session = Session::new("effects = 'once'", script);
    session.kill_at(1);
    let (id, _) = session.run();
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 7);
    let words = [
        "runs",
        "resolve",
        &id,
        "1",
        "failed",
        "--message",
        "it never came",
    ];
    assert_eq!(session.kael(&words).0, 0);
    session.prints(
        &["runs", "resume", &id],
        "false\tt.note failed: it never came\n",
    );
    let session = Session::new("effects = 'once'", script);
    session.kill_at(1);
    let (id, _) = session.run();
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 7);
    assert_eq!(session.kael(&["runs", "resolve", &id, "1", "retry"]).0, 0);
    session.go();
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 0);
    let attempts: Vec<_> = session
        .notes()
        .into_iter()
        .map(|note| note[1].clone())
        .collect();
    assert_eq!(attempts, ["1", "2"]);
}

#[test]
fn a_run_that_reached_a_limit_goes_on_with_a_higher_one() {
    let script = "for i = 1, 4 do print(actions.t.note({}).n) end";
    let session = Session::new("effects = 'none'", script);
    let (code, stdout, _) = session.kael(&["run", "--journal", "--max-calls", "2", "script.lua"]);
    assert_eq!((code, stdout.as_str()), (5, "1\n2\n"));
    let (id, state) = session.run();
    assert_eq!(state, "failed");
    let (code, _, stderr) = session.kael(&["runs", "resume", &id, "--max-memory", "1GiB"]);
    assert!(code == 2 && stderr.contains("keeps the memory"), "{stderr}");
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 5);
    session.prints(&["runs", "resume", &id, "--max-calls", "9"], "3\n4\n");
    session.prints(&["runs", "show", &id, "--output"], "1\n2\n3\n4\n");
}

#[test]
fn a_process_that_has_a_run_keeps_it() {
    let session = Session::new("effects = 'idempotent'", TWO);
    let mut host = session.start();
    let late = Instant::now() + Duration::from_secs(60);
    while session.notes().len() < 2 {
        assert!(Instant::now() < late);
        std::thread::sleep(Duration::from_millis(5));
    }
    let (id, state) = session.run();
    assert_eq!(state, "running");
    for words in [["runs", "resume", &id], ["runs", "cancel", &id]] {
        let (code, _, stderr) = session.kael(&words);
        assert!(
            code == 2 && stderr.contains("is running in another process"),
            "{stderr}"
        );
    }
    session.go();
    assert!(host.wait().expect("it ends").success());
    assert_eq!(session.run().1, "succeeded");
}

#[test]
fn a_run_is_replayed_without_a_call_and_another_script_is_held_to_it() {
    let script = "local t = os.time()\nprint(actions.t.note({}).n)\nlocal ok, e = pcall(function() return actions.t.no end)\n\
                  print(t, ok, 0/0, math.random(1, 1 << 40))";
    let session = Session::new("", script);
    let (code, output, _) = session.kael(&["run", "--journal", "script.lua"]);
    assert_eq!((code, session.notes().len()), (0, 1));
    let (id, _) = session.run();
    session.prints(&["runs", "replay", &id], &output);
    assert_eq!(session.notes().len(), 1);
    // To an entry: the frames there.
    let (code, stdout, stderr) = session.kael(&["runs", "replay", &id, "--to", "3"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("the journal ends here") && stderr.contains("script.lua:"),
        "{stdout}{stderr}"
    );
    std::fs::write(
        session.kael.path().join("other.lua"),
        "local t = os.time()\nactions.t.note({ other = true })",
    )
    .expect("written");
    let (code, _, stderr) = session.kael(&["runs", "replay", &id, "--script", "other.lua"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("the script does not do what its journal says")
            && stderr.contains("other.lua:2"),
        "{stderr}"
    );
    assert_eq!(session.notes().len(), 1);
}

#[test]
fn calls_side_by_side_go_on_in_the_order_in_which_they_ended() {
    let script = "local function one(mode) return function() return actions.t.note({ mode = mode }).n end end\n\
                  print(parallel(one(''), one('wait'), one('')))\n\
                  print(race(one(''), function() sleep(60) return 'late' end))";
    let session = Session::new("effects = 'idempotent'", script);
    session.kill_at(3);
    let (id, _) = session.run();
    session.go();
    let (code, stdout, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(stdout, "1\t2\t3\n1\t4\n");
    let (code, stdout, _) = session.kael(&["runs", "replay", &id]);
    assert_eq!((code, stdout.as_str()), (0, "1\t2\t3\n1\t4\n"));
}

#[test]
fn one_changed_byte_of_a_journal_is_found() {
    let session = Session::new("", "for i = 1, 3 do print(actions.t.note({}).n) end");
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let (code, stdout, _) = session.kael(&["runs", "verify", &id]);
    assert!(
        code == 0 && stdout.contains(" entries, whole; the last chain is "),
        "{stdout}"
    );
    // The name and the parameters of the action stand in every intent, as they are, behind their lengths.
    let file = session.kael.path().join("data/kael.db");
    let mut bytes = std::fs::read(&file).expect("a file");
    let wanted = b"\x06t.note\x02{}";
    let at = bytes
        .windows(wanted.len())
        .position(|bytes| bytes == wanted)
        .expect("an intent");
    bytes[at + 6] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let (code, _, stderr) = session.kael(&["runs", "verify", &id]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("of the journal are not what was written"),
        "{stderr}"
    );
    let (code, _, stderr) = session.kael(&["runs", "replay", &id]);
    assert!(code == 1 && stderr.contains("is damaged"), "{stderr}");
}

#[test]
fn a_run_that_is_not_over_is_cancelled_and_removed_only_when_asked() {
    let session = Session::new("effects = 'idempotent'", TWO);
    session.kill_at(2);
    let (id, _) = session.run();
    let (code, _, stderr) = session.kael(&["runs", "rm", &id]);
    assert!(
        code == 2 && stderr.contains("only removed with --force"),
        "{stderr}"
    );
    session.prints(&["runs", "cancel", &id], &format!("{id}: cancelled\n"));
    assert_eq!(session.run().1, "cancelled");
    assert_eq!(session.kael(&["runs", "cancel", &id]).0, 2);
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 2);
}

#[test]
fn a_run_that_sleeps_long_gives_its_process_up_and_is_woken() {
    let script = "print('before') print(race(function() sleep(12) return 'slept' end, function() sleep(600) end))\n\
                  print(actions.t.note({}).n)";
    let session = Session::new("", script);
    let begun = Instant::now();
    let (code, stdout, stderr) = session.kael(&["run", "--journal", "script.lua"]);
    assert_eq!((code, stdout.as_str()), (7, "before\n"), "{stderr}");
    assert!(
        stderr.contains("the run waits until 20") && stderr.contains("kael-host runs work"),
        "{stderr}"
    );
    let (id, state) = session.run();
    assert_eq!(state, "waiting");
    // It is not due yet, unless the machine is very slow.
    let (code, stdout, _) = session.kael(&["runs", "work", "--once"]);
    if begun.elapsed() < Duration::from_secs(12) {
        assert_eq!((code, stdout.as_str()), (0, ""));
    }
    let late = begun + Duration::from_secs(120);
    while session.run().1 != "succeeded" {
        assert!(Instant::now() < late, "it is not woken");
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(session.kael(&["runs", "work", "--once"]).0, 0);
    }
    assert!(begun.elapsed() >= Duration::from_secs(12));
    let wanted = "before\n1\tslept\n1\n";
    session.prints(&["runs", "show", &id, "--output"], wanted);
    session.prints(&["runs", "replay", &id], wanted);
}

/// A generator of our own: a failure has the same moments again.
fn moments(mut state: u64) -> impl Iterator<Item = Duration> {
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(Duration::from_millis(20 + state % 400))
    })
}

#[test]
fn a_run_that_is_killed_at_twenty_moments_ends_as_it_would_have() {
    let script = "local total = 0\n\
                  for i = 1, 12 do\n\
                    local a, b = parallel(function() return actions.t.note({ i = i }).n end, function() sleep(0.05) return i end)\n\
                    total = total + a + b\n\
                    print(i, a, b, total)\n\
                    pcall(function() race(function() sleep(0.01) error('late') end, function() sleep(5) end) end)\n\
                  end\n\
                  print('done', total)";
    let session = Session::new("effects = 'idempotent'", script);
    let mut killed = 0;
    for (turn, moment) in moments(0x9e37_79b9_7f4a_7c15).take(20).enumerate() {
        let mut command = session.kael.command();
        match session.runs_if_any() {
            None => command.args(["run", "--journal", "script.lua"]),
            Some((_, state)) if state == "succeeded" => break,
            Some((id, _)) => command.args(["runs", "resume", &id]),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut host = command.spawn().expect("the host starts");
        // Later and later, so that the run comes to an end on a slow machine, too.
        std::thread::sleep(moment * (1 + turn as u32 / 5));
        host.kill().ok();
        host.wait().expect("it ends");
        killed += 1;
    }
    let id = match session.runs_if_any() {
        Some((id, state)) if state == "succeeded" => id,
        Some((id, _)) => {
            let (code, _, stderr) = session.kael(&["runs", "resume", &id]);
            assert_eq!(code, 0, "{stderr}");
            id
        }
        None => {
            assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
            session.run().0
        }
    };
    assert!(killed > 0);
    let mut wanted = String::new();
    let mut total = 0;
    for i in 1..=12 {
        total += 2 * i;
        wanted += &format!("{i}\t{i}\t{i}\t{total}\n");
    }
    wanted += &format!("done\t{total}\n");
    session.prints(&["runs", "show", &id, "--output"], &wanted);
    session.prints(&["runs", "replay", &id], &wanted);
    let (code, stdout, stderr) = session.kael(&["runs", "verify", &id]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    // A call keeps its key, and each attempt has a number of its own.
    let mut seen = std::collections::BTreeMap::new();
    let mut attempts = std::collections::BTreeSet::new();
    for note in session.notes() {
        assert_eq!(
            seen.entry(note[0].clone())
                .or_insert_with(|| note[2].clone()),
            &note[2]
        );
        assert!(
            attempts.insert((note[0].clone(), note[1].clone())),
            "{note:?}"
        );
    }
    assert_eq!(seen.len(), 12);
}
