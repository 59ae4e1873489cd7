//! A limit that ends a run is named with the place in Lua where the run was, and ends it in time.

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
fn computing_is_told_with_the_functions_that_ran() {
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
fn memory_output_and_calls_are_told_with_their_line() {
    let grow = "local t = {}\nwhile true do\n  t[#t + 1] = ('x'):rep(100000)\nend";
    assert_eq!(
        frames(&["--max-memory", "32MiB"], grow),
        ["script.lua:3: in main chunk"]
    );
    // So long that lines are noted in full now and then.
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
fn waiting_is_told_with_its_line() {
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

/// The best of some tries: a machine that is busy may be late, Kael must not be.
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
