//! Runs that go on later: after a limit, after a sleep, and held to what they were held to when they began.

use std::time::{Duration, Instant};

use super::{Session, TWO};

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
fn any_limit_but_memory_can_be_raised() {
    for (limit, script, higher, rest, all) in [
        (
            ["--timeout", "1s"],
            "print(actions.t.note({}).n) sleep(3) print('late')",
            ["--timeout", "1m"],
            "late\n",
            "1\nlate\n".to_owned(),
        ),
        (
            ["--max-cpu", "0.05"],
            "print(actions.t.note({}).n) local n = 0 for i = 1, 100000000 do n = n + 1 end print(n)",
            ["--max-cpu", "5m"],
            "100000000\n",
            "1\n100000000\n".to_owned(),
        ),
        (
            ["--max-output", "500B"],
            "for i = 1, 6 do print(('x'):rep(99)) end print(actions.t.note({}).n)",
            ["--max-output", "1MiB"],
            "",
            format!("{}1\n", format!("{}\n", "x".repeat(99)).repeat(6)),
        ),
    ] {
        let session = Session::new("effects = 'idempotent'", script);
        let words = ["run", "--journal", limit[0], limit[1], "script.lua"];
        let (code, _, stderr) = session.kael(&words);
        assert_eq!(code, 5, "{limit:?}: {stderr}");
        let (id, state) = session.run();
        assert_eq!(state, "failed");
        let (code, stdout, stderr) = session.kael(&["runs", "resume", &id, higher[0], higher[1]]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{limit:?}");
        assert!(stdout.ends_with(rest), "{limit:?}: {stdout}");
        session.prints(&["runs", "show", &id, "--output"], &all);
        session.prints(&["runs", "replay", &id], &all);
        assert_eq!(session.notes().len(), 1);
    }
    // A script can tell how much memory it has.
    let script = "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end";
    let session = Session::new("", script);
    let words = ["run", "--journal", "--max-memory", "64MiB", "script.lua"];
    assert_eq!(session.kael(&words).0, 5);
    let (id, _) = session.run();
    let (code, _, stderr) = session.kael(&["runs", "resume", &id]);
    assert!(
        code == 2 && stderr.contains("a run keeps the memory that it began with"),
        "{stderr}"
    );
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
    for words in [
        &["runs", "resume", &id][..],
        &["runs", "cancel", "--now", &id],
    ] {
        let (code, _, stderr) = session.kael(words);
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

/// A run that goes on from another folder, whose configuration says nothing.
#[test]
fn a_run_is_held_to_what_held_when_it_began() {
    let script =
        "actions.t.note({}) actions.t.note({}) print(select(2, pcall(actions.t.second, {})))";
    let policy = "version: 1\ndefault: allow\nrules:\n  - deny: t.second\n";
    let project = "deny: [t.second]\n";
    let none = "effects = 'none'";
    for (typed, of_project, effects, refused) in [
        (
            &["--deny", "t.second"][..],
            false,
            none,
            "denied by the policy (deny t.second)",
        ),
        (&["--policy", "p.yaml"], false, none, "denied by "),
        (
            &["--read-only"],
            false,
            "effects = 'once'",
            "denied by --read-only",
        ),
        (&[], true, none, "denied by the policy (deny t.second)"),
    ] {
        let session = Session::new(none, script);
        let kael = session
            .kael
            .shell("second", effects, "cat")
            .file("p.yaml", policy);
        let kael = match of_project {
            true => kael.file("kael.yaml", project),
            false => kael,
        };
        let session = Session { kael, ..session };
        let mut words = vec!["run", "--journal", "--max-calls", "2", "script.lua"];
        words.splice(2..2, typed.iter().copied());
        if of_project {
            assert_eq!(session.kael(&["trust"]).0, 0);
        }
        let (code, _, stderr) = session.kael(&words);
        assert_eq!(code, 5, "{stderr}");
        let (id, _) = session.run();
        let mut command = session.kael.command();
        command.args(["runs", "resume", &id, "--max-calls", "9"]);
        let output = command.current_dir("/").output().expect("the host starts");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            stdout.contains(refused),
            "{typed:?}: {stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_policy_that_a_run_is_held_to_must_be_there_when_it_goes_on() {
    let session = Session::new("effects = 'none'", "for i = 1, 4 do actions.t.note({}) end");
    let kael = session.kael.file("p.yaml", "version: 1\ndefault: allow\n");
    let session = Session { kael, ..session };
    let words = [
        "run",
        "--journal",
        "--policy",
        "p.yaml",
        "--max-calls",
        "2",
        "script.lua",
    ];
    assert_eq!(session.kael(&words).0, 5);
    let (id, _) = session.run();
    std::fs::remove_file(session.kael.path().join("p.yaml")).expect("it is there");
    let (code, _, stderr) = session.kael(&["runs", "resume", &id, "--max-calls", "9"]);
    assert!(code == 3 && stderr.contains("p.yaml"), "{code}: {stderr}");
    assert_eq!(session.run().1, "failed");
}

#[test]
fn a_configuration_gives_every_run_a_journal() {
    let session = Session::new("", "print(actions.t.note({}).n)");
    let run = |setting: &str, words: &[&str]| {
        let mut command = session.kael.command();
        let output = command.env("KAEL_JOURNAL", setting).args(words).output();
        let output = output.expect("the host starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), stderr)
    };
    assert_eq!(run("off", &["run", "script.lua"]).0, Some(0));
    assert_eq!(run("on", &["run", "--dry-run", "script.lua"]).0, Some(0));
    session.runs(0);
    assert_eq!(run("on", &["run", "script.lua"]).0, Some(0));
    assert_eq!(session.run().1, "succeeded");
    let (code, stderr) = run("often", &["run", "script.lua"]);
    assert!(
        code == Some(3) && stderr.contains("expected `on` or `off`, got `often`"),
        "{stderr}"
    );
}
