//! Runs whose process was killed go on as if it had not been.

use std::process::Stdio;
use std::time::Duration;

use super::{Session, TWO};

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
