use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;

fn shell(script: &str) -> ProcessCommand {
    ProcessCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        folder: "/".into(),
        stdin: Vec::new(),
        timeout: Duration::from_secs(20),
        stdout_cap: 1 << 20,
        stderr_tail: 100,
        isolation: Isolation::Strongest,
        writable: None,
        readable: None,
        temporary: None,
        hidden: Vec::new(),
        room: None,
        limits: None,
    }
}

async fn finish(command: ProcessCommand) -> Finished {
    run(command, |_| ()).await.expect("it starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Whether a process of this host has the text in its command line.
fn alive(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .into_iter()
        .any(|line| String::from_utf8_lossy(&line).contains(marker))
}

fn gone(marker: &str) -> bool {
    (0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        !alive(marker)
    })
}

#[tokio::test]
async fn input_goes_in_and_output_comes_back() {
    let finished = finish(ProcessCommand {
        stdin: b"hello".to_vec(),
        ..shell("cat; echo oops >&2; exit 3")
    })
    .await;
    assert_eq!(finished.ending, Ending::Exited(3));
    assert_eq!(
        (text(&finished.stdout), text(&finished.stderr)),
        ("hello", "oops\n")
    );
}

#[tokio::test]
async fn the_process_sees_its_own_environment_and_descriptors_alone() {
    let inherited = fs::File::open("/etc/passwd").expect("a file");
    let finished = finish(shell(
        "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= ; ls /proc/self/fd | wc -l",
    ))
    .await;
    // 0, 1, 2 and the one that ls has open on the folder.
    assert_eq!(text(&finished.stdout).trim(), "PATH=/usr/bin:/bin\n4");
    drop(inherited);
}

#[tokio::test]
async fn stdout_is_capped_and_the_tail_of_stderr_is_kept() {
    let finished = finish(ProcessCommand {
        stdout_cap: 1000,
        ..shell("yes")
    })
    .await;
    assert_eq!(finished.ending, Ending::TooMuchOutput);
    let finished = finish(shell("seq 1000 >&2")).await;
    assert_eq!(finished.stderr.len(), 100);
    assert!(text(&finished.stderr).ends_with("999\n1000\n"));
}

#[tokio::test]
async fn a_late_process_is_asked_and_then_killed() {
    let polite = ProcessCommand {
        timeout: Duration::from_millis(200),
        ..shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done")
    };
    // Pid 1 of its namespace is this shell, which handles TERM.
    let finished = finish(polite).await;
    assert_eq!(
        (finished.ending, text(&finished.stdout)),
        (Ending::TimedOut, "bye\n")
    );
    let stubborn = ProcessCommand {
        timeout: Duration::from_millis(200),
        ..shell("trap '' TERM; sleep 4711.1")
    };
    assert_eq!(finish(stubborn).await.ending, Ending::TimedOut);
    assert!(gone("4711.1"));
}

#[tokio::test]
async fn nothing_outlives_the_process_that_started_it() {
    let script = "sleep 4711.2 & setsid sleep 4711.2 & (setsid sh -c 'sleep 4711.2 & sleep 4711.2' &) ; echo done";
    let finished = finish(shell(script)).await;
    assert_eq!(
        (finished.ending, text(&finished.stdout)),
        (Ending::Exited(0), "done\n")
    );
    assert!(gone("4711.2"));
}

#[tokio::test]
async fn a_call_that_is_abandoned_leaves_nothing() {
    let call = run(shell("setsid sleep 4711.3 & sleep 4711.3"), |_| ());
    assert!(
        tokio::time::timeout(Duration::from_millis(300), call)
            .await
            .is_err()
    );
    assert!(gone("4711.3"));
}

#[tokio::test]
async fn a_process_without_a_namespace_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("TMPDIR".into(), folder.path().into()),
    ];
    let script = "setsid sleep 4711.4 & (setsid sh -c 'sleep 4711.4' &) ; echo done";
    let finished = finish(ProcessCommand {
        isolation: Isolation::Client,
        env,
        ..shell(script)
    })
    .await;
    assert_eq!(finished.ending, Ending::Exited(0));
    assert!(gone("4711.4"));
}

/// Starts processes that leave their session, their parent and their environment, in every order.
const ESCAPES: &str = "setsid sleep MARK & (setsid env -i /bin/sh -c '/usr/bin/sleep MARK & /usr/bin/sleep MARK' &) ; \
    (env -i /usr/bin/setsid /usr/bin/sleep MARK &) ; sleep 0.2; echo done";

/// A process that exits, one that times out and one that is abandoned leave nothing behind.
async fn holds(containment: Containment, marker: &str) {
    let script = ESCAPES.replace("MARK", marker);
    let finished = run_in(containment, shell(&script), |_| ()).await;
    let finished = finished.expect("it starts");
    assert_eq!(
        (finished.ending, text(&finished.stdout)),
        (Ending::Exited(0), "done\n")
    );
    assert!(gone(marker), "{containment:?}, ended by itself");
    let endless = format!("{script}; sleep {marker}");
    let late = ProcessCommand {
        timeout: Duration::from_millis(600),
        ..shell(&endless)
    };
    let finished = run_in(containment, late, |_| ()).await;
    assert_eq!(finished.expect("it starts").ending, Ending::TimedOut);
    assert!(gone(marker), "{containment:?}, late");
    let call = run_in(containment, shell(&endless), |_| ());
    let abandoned = tokio::time::timeout(Duration::from_millis(600), call).await;
    assert!(
        abandoned.is_err() && gone(marker),
        "{containment:?}, abandoned"
    );
}

#[tokio::test]
async fn a_control_group_contains_like_a_namespace() {
    // Without such a group, `doctor` reports that the orphan reaper is used instead.
    if Places::get().expect("it can be asked").kill.is_some() {
        return holds(Containment::Group, "4711.5").await;
    }
    let required = std::env::var("KAEL_REQUIRE").unwrap_or_default();
    let named = required.split(',').any(|word| word.trim() == "pids");
    let why = &Places::get().expect("it can be asked").why;
    assert!(!named, "KAEL_REQUIRE asks for pids: {why}");
    // Not `eprintln!`: the test runner hides its output for tests that pass.
    let line = b"skipped: needs pids (a_control_group_contains_like_a_namespace)\n";
    std::io::Write::write_all(&mut std::io::stderr(), line).ok();
}

#[tokio::test]
async fn the_orphan_reaper_finds_orphans() {
    orphan_reaper::become_subreaper().expect("a prctl");
    holds(Containment::Subreaper, "4711.6").await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let command = ProcessCommand {
        program: Path::new("/nonexistent").into(),
        ..shell("")
    };
    let error = run(command, |_| ()).await.err().expect("no program");
    assert_eq!(
        error.to_string(),
        "executing the program: No such file or directory (os error 2)"
    );
}

/// The mount is the checked folder, even if a link or another folder replaced it meanwhile.
#[tokio::test]
async fn a_replaced_writable_folder_is_not_written() {
    let containment = capabilities::containment(Isolation::Strongest).await;
    let containment = containment.expect("an answer");
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    let at = |name: &str| root.join(name);
    for name in ["victim", "judged", "tmp"] {
        fs::create_dir(at(name)).expect("a folder");
    }
    let command = |script: String| ProcessCommand {
        writable: Some(vec![Opened::new(&at("judged")).expect("it is there")]),
        temporary: Some(Opened::new(&at("tmp")).expect("it is there")),
        ..shell(&script)
    };
    let write = |name: &str| format!("echo x > {}/file && echo written", at(name).display());
    let good = finish(command(format!("{} && {}", write("judged"), write("tmp")))).await;
    assert_eq!(text(&good.stdout), "written\nwritten\n");
    for place in ["judged", "tmp"] {
        let late = command(write("victim"));
        fs::rename(at(place), at("moved")).expect("a name");
        std::os::unix::fs::symlink(at("victim"), at(place)).expect("a link");
        let outcome = run(late, |_| ()).await;
        if let Containment::Namespace {
            read_only: true, ..
        } = containment
        {
            assert!(outcome.is_err(), "{place}");
        }
        assert!(!at("victim").join("file").exists(), "{place}");
        fs::remove_file(at(place)).expect("a link");
        fs::rename(at("moved"), at(place)).expect("a name");
    }
}

#[tokio::test]
async fn a_process_that_serves_many_calls_reads_what_it_may_and_nothing_else() {
    if kernel_features::landlock_version().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    for name in ["named", "other"] {
        fs::create_dir(root.join(name)).expect("a folder");
        fs::write(root.join(name).join("file"), name).expect("a file");
    }
    let system = ["/usr", "/bin", "/lib", "/lib64"].map(Path::new);
    let named = root.join("named");
    let readable = system.into_iter().chain([named.as_path()]);
    let at = root.display();
    let command = ProcessCommand {
        writable: Some(Vec::new()),
        readable: Some(readable.filter_map(|path| Opened::new(path).ok()).collect()),
        ..shell(&format!("read line; cat {at}/named/file {at}/other/file"))
    };
    let mut resident = resident(command).await.expect("it starts");
    resident.stdin.write_all(b"go\n").await.expect("a line");
    let mut printed = String::new();
    let reading = resident.stdout.read_to_string(&mut printed).await;
    reading.expect("text");
    assert_eq!(printed, "named");
}
