//! A journal with many bytes is checked, exported and replayed in bounded memory.
//!
//! `KAEL_JOURNAL_MIB` says how many (32); a run may have 1,024.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use kael_tests::Kael;

use super::Session;

/// Runs a command, with its output in a file: its exit code and the most memory that it had, in MiB.
fn measured(session: &Session, words: &[&str], output: &Path) -> (i32, u64) {
    let file = File::create(output).expect("a file");
    let host = session.kael.command();
    let mut command = Command::new(host.get_program());
    command.args(host.get_args()).args(words);
    if let Some(folder) = host.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let child = command.stdout(file).stderr(Stdio::inherit()).spawn();
    let mut child = child.expect("the host starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        // The kernel keeps the most that there was: only the last moment is missed.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a state") {
            return (status.code().unwrap_or(-1), most / 1024);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn a_large_journal_takes_little_memory() {
    let given = std::env::var("KAEL_JOURNAL_MIB").ok();
    let mib: u64 = given.and_then(|text| text.parse().ok()).unwrap_or(32);
    // The last call stays below what a journal may have.
    let calls = mib.min(1020);
    let code = "head -c 1048500 /dev/zero | tr '\\0' x | sed 's/.*/\"&\"/'";
    let kael = Kael::new().shell("big", "effects = 'none'", code).file(
        "script.lua",
        "local n = 0 for _ = 1, tonumber(arg[1]) do n = n + #actions.t.big({}) end print(n)",
    );
    let notes = kael.path().join("none");
    let session = Session { kael, notes };
    let count = calls.to_string();
    let words = [
        "run",
        "--journal",
        "--timeout",
        "3600",
        "--max-cpu",
        "3600",
        "script.lua",
        &count,
    ];
    let (code, stdout, stderr) = session.kael(&words);
    let printed = format!("{}\n", calls * 1_048_500);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, printed.as_str(), "")
    );
    let (id, _) = session.run();
    let file = session.kael.path().join("run.jsonl");
    let none = session.kael.path().join("out");
    // What the program takes for a run that has next to nothing.
    let words = ["run", "--journal", "script.lua", "1"];
    assert_eq!(session.kael(&words).0, 0);
    let runs = session.runs(2);
    let small = runs.iter().find(|run| run["run"] != *id).expect("another");
    let small = small["run"].as_str().expect("an id");
    let check = |[word, of_small, of_large]: [&str; 3], more: u64, output: &Path| {
        let (code, base) = measured(&session, &["runs", word, of_small], &none);
        assert_eq!(code, 0, "{word}");
        let (code, most) = measured(&session, &["runs", word, of_large], output);
        assert_eq!(code, 0, "{word}");
        let bound = base + more + 24;
        assert!(
            most <= bound,
            "{word}: {most} MiB, and {base} for a small one; at most {bound}"
        );
    };
    // A replay has the entries in memory, once; the others have one entry at a time.
    for (word, more) in [("verify", 0), ("replay", calls + calls / 8), ("export", 0)] {
        check([word, small, &id], more, &file);
    }
    let exported = file.metadata().expect("a file").len();
    assert!(exported > calls * 1_048_500);
    // An import has them in memory, too, and the store takes more than a quarter of that for one transaction of this size.
    let of_small = session.kael.path().join("small.jsonl");
    let text = session.kael(&["runs", "export", small]).1;
    std::fs::write(&of_small, text).expect("a file");
    assert_eq!(session.kael(&["runs", "rm", &id, small]).0, 0);
    let files = [&of_small, &file].map(|file| file.to_str().expect("UTF-8"));
    check(["import", files[0], files[1]], calls + calls / 3, &none);
    assert_eq!(session.kael(&["runs", "verify", &id]).0, 0);
}
