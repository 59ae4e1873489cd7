//! Two thousand runs that end in every way there is, in one process; at the end it is as it was at
//! the start.
//!
//!     cargo test -p kael-tests --test leak
//!     KAEL_LEAK_RUNS=100000 cargo test --release -p kael-tests --test leak
//!
//! Memory may have grown by 32 MiB: an allocator keeps some of what it was given. Threads,
//! descriptors, children and temporary folders are counted exactly.

#[allow(dead_code, reason = "the hostile suite uses all of it")]
#[path = "../hostile/in_process_host.rs"]
mod in_process_host;

use std::fs;
use std::process::Command;
use std::time::Duration;

use kael_engine::runtime::finish;
use kael_tests::Kael;
use libtest_mimic::{Arguments, Failed, Trial};

use in_process_host::Host;

/// Set in the process that does the runs: the folder for its temporary files.
const INNER: &str = "KAEL_LEAK_INNER";
const MARGIN_KIB: u64 = 32 << 10;

fn main() {
    if std::env::var_os(INNER).is_some() {
        return inner();
    }
    let test = || -> Result<(), Failed> {
        let folder = Kael::new();
        let output = Command::new(std::env::current_exe()?)
            .env(INNER, "1")
            .env("TMPDIR", folder.path())
            .output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    };
    let trial = Trial::test("runs_that_end_in_every_way_leave_nothing", test);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// Every way to end: the options, the script, and the kind of the end.
const WAYS: [(&str, &str, &str); 18] = [
    ("", "return 1", "ok"),
    ("", "print(('x'):rep(1000)) return { a = { 1, 2 } }", "ok"),
    ("", "error('x')", "script"),
    ("", "error({})", "script"),
    ("", "return = 1", "syntax"),
    ("", "return print", "result"),
    ("--max-cpu 20ms", "while true do end", "limit"),
    (
        "--max-cpu 20ms",
        "while true do pcall(string.rep, 'x', 10000) end",
        "limit",
    ),
    (
        "--max-memory 8MiB",
        "local t = {} while true do t[#t + 1] = {} end",
        "limit",
    ),
    ("--max-memory 64KiB", "", "limit"),
    ("--max-output 1KiB", "while true do print('x') end", "limit"),
    (
        "--max-calls 10",
        "while true do pcall(actions.t.denied, {}) end",
        "limit",
    ),
    ("", "actions.t.denied({})", "denied"),
    ("", "local x = actions.t.none", "unknown_action"),
    ("", "actions.t.echo({ a = 0/0 })", "invalid_params"),
    (
        "",
        "local fs = {} for i = 1, 20 do fs[i] = function() return pcall(actions.t.denied, {}) end end parallel(fs)",
        "ok",
    ),
    (
        "",
        "local f = coroutine.wrap(function() error('x') end) f()",
        "script",
    ),
    ("", "local function f() return 1 + f() end f()", "script"),
];

/// The same with processes, which are slower and so run less often.
const ACTIONS: [(&str, &str, &str); 7] = [
    ("", "return actions.t.echo({ a = 1 }).a", "ok"),
    ("", "actions.t.fails({})", "failed"),
    ("", "actions.t.junk({})", "bad_output"),
    ("", "actions.t.floods({})", "bad_output"),
    ("", "actions.t.late({})", "timeout"),
    (
        "--timeout 50ms",
        "parallel(function() actions.t.slow({}) end, function() actions.t.slow({}) end)",
        "limit",
    ),
    (
        "",
        "race(function() actions.t.slow({}) end, function() return 1 end)",
        "ok",
    ),
];

/// By then the leftovers of calls and the prepared resources are removed.
const CLEARED: Duration = Duration::from_secs(3);

fn inner() {
    let runs: usize = std::env::var("KAEL_LEAK_RUNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2000);
    let host = Host::start();
    let session = Kael::new()
        .shell("echo", "", "cat")
        .shell("denied", "", "cat")
        .shell("fails", "", "echo no >&2; exit 3")
        .shell("junk", "", "echo junk")
        .shell("floods", "", "yes")
        .shell("late", "timeout = '30ms'", "setsid sleep 1000 & sleep 1000")
        .shell("slow", "", "sleep 1000 & setsid sleep 1000 & wait");
    session.write_repo();
    round(&host, &session, 200);
    finish(CLEARED);
    let start = Counts::taken(0);
    round(&host, &session, runs);
    host.is_well();
    finish(CLEARED);
    let end = Counts::taken(start.threads);
    println!("{runs} runs: at the start {start:?}, at the end {end:?}");
    assert!(
        end.memory <= start.memory + MARGIN_KIB,
        "memory: {start:?} {end:?}"
    );
    // Idle threads of the runtime end after a while, so there may be fewer.
    assert!(end.threads <= start.threads, "threads: {start:?} {end:?}");
    // The same holds for descriptors of those threads.
    assert!(
        end.descriptors <= start.descriptors,
        "descriptors: {start:?} {end:?}"
    );
    assert_eq!((end.children, end.folders), (0, 0));
}

fn round(host: &Host, session: &Kael, runs: usize) {
    for n in 0..runs {
        let (options, source, kind) = match n % 20 {
            0 => ACTIONS[n / 20 % ACTIONS.len()],
            _ => WAYS[n % WAYS.len()],
        };
        fs::write(session.path().join("script.lua"), source).expect("a file");
        let mut options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        options.extend(["--deny", "t.denied"].map(str::to_owned));
        if n % 50 == 49 {
            abandoned(host, session);
            continue;
        }
        let ended = host.run(session.path(), &options);
        assert_eq!(ended.kind, kind, "{source}: {}", ended.message);
    }
}

/// Drops a run in the middle, like Ctrl-C.
fn abandoned(host: &Host, session: &Kael) {
    fs::write(session.path().join("script.lua"), "actions.t.slow({})").expect("a file");
    host.runtime().block_on(async {
        let run = host.running(session.path(), &[]);
        let ended = tokio::time::timeout(Duration::from_millis(100), run).await;
        assert!(ended.is_err(), "it was still running");
    });
}

#[derive(Debug, PartialEq)]
struct Counts {
    /// Resident KiB.
    memory: u64,
    threads: u64,
    descriptors: usize,
    children: usize,
    /// Temporary folders of actions.
    folders: usize,
}

impl Counts {
    /// Measured after idle threads and killed processes have ended.
    fn taken(threads: u64) -> Self {
        let mut counts = Self::now();
        for _ in 0..200 {
            if counts.children == 0
                && counts.folders == 0
                && (threads == 0 || counts.threads <= threads)
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            counts = Self::now();
        }
        counts
    }

    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("/proc");
        let number = |field: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(field))
                .unwrap_or("0");
            line.split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        };
        let tasks = fs::read_dir("/proc/self/task").expect("/proc").flatten();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        // They are in the data folder of each session.
        let sessions = fs::read_dir(std::env::temp_dir()).expect("a folder");
        let places = sessions
            .flatten()
            .map(|session| session.path().join("data/tmp"));
        let temporary = places.flat_map(fs::read_dir).map(Iterator::count).sum();
        Self {
            memory: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: fs::read_dir("/proc/self/fd").expect("/proc").count(),
            children: children.map(|list| list.split_whitespace().count()).sum(),
            folders: temporary,
        }
    }
}
