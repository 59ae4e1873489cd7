//! No process outlives its run, in every way that actions and the host can end.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kael_tests::{Kael, Need, alive, gone, needs};

/// Actions that try not to be ended. Each keeps processes with the marker `$M` in their command
/// lines.
const NASTY: [&str; 8] = [
    // Ignores TERM, as do its children.
    "trap '' TERM; sleep $M & sleep $M",
    // Starts sessions of their own.
    "setsid sleep $M & setsid sh -c 'setsid sleep $M & wait' & wait",
    // Double forks with an empty environment.
    "(setsid env -i sh -c '/usr/bin/sleep $M & /usr/bin/sleep $M &' &) ; (env -i setsid sleep $M &) ; sleep $M",
    // Stopped, and never continued.
    "sleep $M & kill -STOP $!; sh -c 'kill -STOP $$; sleep $M' & sleep $M",
    // Starts more and more processes.
    "while :; do setsid sleep $M & done 2>/dev/null",
    // A tree of processes that start each other again.
    "f() { sleep $M & sh -c 'trap \"\" TERM HUP INT; sleep $M' & wait; f; }; f & f",
    // Closes all descriptors, and goes to the background.
    "exec </dev/null >/dev/null 2>&1; (setsid sh -c 'cd /; trap \"\" TERM; while :; do sleep $M; done' &) ; sleep $M",
    // Changes its name before it executes another program.
    "python3 -c 'import os, signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except OSError: pass\nos.fork(); os.setsid(); os.fork(); os.execvp(\"sleep\", [\"sleep\", \"$M\"])' & sleep $M",
];

fn nasty(marker: &str, timeout: &str) -> Kael {
    let fields = format!("timeout = '{timeout}', limits = {{ processes = 40 }}");
    NASTY
        .iter()
        .enumerate()
        .fold(Kael::new(), |session, (number, code)| {
            session.shell(&format!("n{number}"), &fields, &code.replace("$M", marker))
        })
}

/// Calls `count` such actions in parallel, and continues when all have failed.
fn storm(count: usize) -> String {
    format!(
        "local fs = {{}} for i = 1, {count} do fs[i] = function() actions.t['n' .. i % {}]({{}}) end end
         print((pcall(parallel, fs)))",
        NASTY.len()
    )
}

#[test]
fn of_two_hundred_nasty_actions_that_timed_out_nothing_is_left() {
    nasty("4816.1", "300ms")
        .run_with(&["--max-parallel", "40"])
        .script(&storm(200))
        .prints("false\n");
    assert!(gone("4816.1"));
}

/// A host with 50 running actions, some of which have begun.
fn under_way(marker: &str) -> (Kael, Child) {
    let session = nasty(marker, "60s")
        .file("script.lua", storm(50))
        .run_with(&["--max-parallel", "50", "script.lua"]);
    let host = session.start();
    let deadline = Instant::now() + Duration::from_secs(20);
    while processes(marker) < 50 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(alive(marker), "no action began");
    (session, host)
}

fn processes(marker: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(marker))
        .count()
}

fn signal(host: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &host.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
}

#[test]
fn a_host_that_is_killed_takes_fifty_actions_with_it() {
    // Without a namespace, nothing is promised if the host is killed.
    if !needs(&[Need::Namespace]) {
        return;
    }
    let (_session, mut host) = under_way("4816.2");
    signal(&host, "-KILL");
    host.wait().expect("it ends");
    assert!(gone("4816.2"));
}

#[test]
fn a_host_that_is_asked_to_end_takes_fifty_actions_with_it() {
    let (_session, mut host) = under_way("4816.3");
    signal(&host, "-TERM");
    let status = host.wait().expect("it ends");
    assert_eq!(status.code(), Some(128 + 15));
    assert!(gone("4816.3"));
}
