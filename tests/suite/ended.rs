//! A limit ends a run in time, and its error shows the line where the run was.

use kael_tests::Kael;
use serde_json::Value;

/// The error of a run that a limit ended.
#[track_caller]
fn ended(limits: &[&str], script: &str) -> Value {
    let session = Kael::new().shell("nap", "", "sleep 30");
    let ran = session
        .run_with(&[&["--json"], limits].concat())
        .script(script);
    serde_json::from_str(&ran.exits(5).stdout).expect("a report")
}

#[track_caller]
fn frames(limits: &[&str], script: &str) -> Vec<String> {
    let report = ended(limits, script);
    let frames = report["error"]["traceback"].as_array().expect("frames");
    frames
        .iter()
        .map(|frame| frame.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn a_cpu_limit_shows_the_running_functions() {
    let script = "local function spin()\n  local x = math.floor(1.5)\n  while true do x = x + 1 end\nend\n\
                  local function branch() spin() end\nparallel(function() end, branch)";
    assert_eq!(
        frames(&["--max-cpu", "200ms"], script)[..2],
        [
            "script.lua:2: in function <script.lua:1> (the last line that is known)",
            "script.lua:5: in function <script.lua:5>",
        ]
    );
    assert_eq!(
        frames(&["--max-cpu", "200ms"], "while true do end"),
        ["script.lua:1: in main chunk (the last line that is known)"]
    );
    assert_eq!(
        frames(
            &["--max-cpu", "200ms"],
            "\nlocal s = ('a'):rep(40)\ns:find(('.-'):rep(40) .. 'b')"
        ),
        ["script.lua:3: in main chunk"]
    );
}

#[test]
fn memory_output_and_call_limits_show_their_line() {
    let grow = "local t = {}\nwhile true do\n  t[#t + 1] = ('x'):rep(100000)\nend";
    assert_eq!(
        frames(&["--max-memory", "32MiB"], grow),
        ["script.lua:3: in main chunk"]
    );
    // Long enough for Lua to store some absolute line numbers.
    let long = format!(
        "local x = 0\n{}print(('x'):rep(2000))",
        "x = x + 1\n".repeat(600)
    );
    assert_eq!(
        frames(&["--max-output", "1KiB"], &long),
        ["script.lua:602: in main chunk"]
    );
    let calls =
        "\n\nparallel(function() actions.t.nap({}) end,\n  function() actions.t.nap({}) end)";
    assert_eq!(
        frames(&["--max-calls", "1"], calls),
        ["script.lua:4: in function <script.lua:4>"]
    );
}

#[test]
fn a_wall_limit_shows_the_waiting_line() {
    let wait =
        "local function wait()\n  local answer = actions.t.nap({})\n  return answer\nend\nwait()";
    assert_eq!(
        frames(&["--timeout", "300ms"], wait),
        [
            "script.lua:2: in function <script.lua:1>",
            "script.lua:5: in main chunk",
        ]
    );
}

#[test]
fn a_hostile_chunk_name_and_a_deep_stack_make_no_trouble() {
    let script = "local f = load('while true do end', '@' .. ('\\27[2J' .. 'n'):rep(1000)) \
                  local function deep(n) if n == 0 then f() else return 1 + deep(n - 1) end end deep(10000)";
    let found = frames(&["--max-cpu", "200ms"], script);
    assert!(found.len() <= 20, "{}", found.len());
    assert!(
        found[0].len() < 1000 && !found[1].contains('\x1b'),
        "{found:?}"
    );
}

#[test]
fn no_chunk_hides_by_the_runtimes_name() {
    let script = "load('while true do end', '=[kael]')()";
    let found = frames(&["--max-cpu", "200ms"], script);
    assert!(found[0].starts_with("(kael):1: in "), "{found:?}");
}

/// The fastest of several tries, because a busy machine may be slow.
fn soonest(limits: &[&str], script: &str, used: &str, allowed: f64) -> f64 {
    let late = |_| {
        ended(limits, script)["usage"][used]
            .as_f64()
            .expect("milliseconds")
            - allowed
    };
    (0..5).map(late).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_limit_ends_the_run_within_100_ms() {
    let cpu: &[&str] = &["--max-cpu", "200ms"];
    let wall: &[&str] = &["--timeout", "300ms"];
    for (limits, used, allowed, script) in [
        (cpu, "cpu_ms", 200.0, "while true do end"),
        (
            cpu,
            "cpu_ms",
            200.0,
            "string.find(('a'):rep(40), ('.-'):rep(40) .. 'b')",
        ),
        (
            cpu,
            "cpu_ms",
            200.0,
            "local t = {} for i = 1, 1e6 do t[i] = -i end while true do table.sort(t) end",
        ),
        (
            cpu,
            "cpu_ms",
            200.0,
            "while true do setmetatable({}, { __gc = function() while true do end end }) end",
        ),
        (wall, "wall_ms", 300.0, "while true do end"),
        (wall, "wall_ms", 300.0, "actions.t.nap({})"),
    ] {
        let late = soonest(limits, script, used, allowed);
        assert!(late <= 100.0, "{late} ms late: {script}");
    }
}

/// Runs without a reader of the output. Returns the exit code and stderr.
fn unread(options: &[&str], script: &str) -> (i32, String) {
    use std::io::Read as _;
    let session = Kael::new()
        .file("script.lua", script)
        .run_with(options)
        .words(&["script.lua"]);
    let mut host = session.start();
    let begun = std::time::Instant::now();
    let status = loop {
        if let Some(status) = host.try_wait().expect("it can be asked") {
            break status;
        }
        if begun.elapsed() > std::time::Duration::from_secs(120) {
            host.kill().ok();
            panic!("it still waits for its reader: {script}");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let mut said = String::new();
    let mut stderr = host.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    (status.code().unwrap_or(-1), said)
}

#[test]
fn a_run_that_failed_does_not_wait_for_a_reader_that_takes_nothing() {
    // More than a pipe holds. The limit of the run's time is much later.
    let print = "print(('x'):rep(1 << 20))\n";
    let (code, said) = unread(&[], &format!("{print}error('it failed', 0)"));
    assert_eq!((code, said.lines().next()), (1, Some("Error: it failed")));
    let (code, said) = unread(
        &["--max-cpu", "200ms"],
        &format!("{print}while true do end"),
    );
    assert_eq!(code, 5);
    assert!(
        said.starts_with("Error: the script computed for "),
        "{said}"
    );
    let (code, said) = unread(&["--max-output", "2MiB"], &print.repeat(3));
    assert_eq!(code, 5);
    assert!(
        said.starts_with("Error: the script printed more than "),
        "{said}"
    );
    // A script that keeps printing waits for its reader until its time is over.
    let forever = format!("while true do {print} end");
    let (code, said) = unread(&["--timeout", "1s", "--max-output", "1TiB"], &forever);
    assert_eq!(code, 5);
    assert!(
        said.starts_with("Error: the run took longer than the 1s "),
        "{said}"
    );
}

#[test]
fn a_memory_limit_shows_the_requested_size() {
    // Lua rounds sizes up to at most twice as much.
    for (script, least, most) in [
        ("local s = ('x'):rep(2^30)", 1.0, 2.1),
        ("local s = ('x'):rep(3 * 2^29)", 1.5, 3.1),
        ("local t = table.create(2^26)", 1.0, 2.1),
        ("local s = ('x'):rep(2^27) s = s .. s", 0.25, 1.0),
        (
            "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
            0.25,
            0.3,
        ),
    ] {
        let report = ended(&[], script);
        let message = report["error"]["message"].as_str().expect("text");
        let asked = message
            .strip_prefix("the script needs more memory than the 256 MiB it may use (it asked for ")
            .and_then(|rest| rest.strip_suffix(")"))
            .unwrap_or_else(|| panic!("{message}"));
        let (number, unit) = asked.split_once(' ').expect("a size");
        let number: f64 = number.parse().expect("a number");
        let gibibytes = match unit {
            "GiB" => number,
            "MiB" => number / 1024.0,
            _ => panic!("{message}"),
        };
        assert!((least..=most).contains(&gibibytes), "{script}: {message}");
    }
}
