//! Crosses every limit: the error names the limit and its value, and the script cannot catch it.

use kael_tests::Kael;

/// Runs code that tries to catch the limit.
#[track_caller]
fn crosses(limits: &[&str], code: &str, (start, end): (&str, &str), hint: &str) {
    let source = format!(
        "local function work()\n{code}\nend\nwhile true do\n  pcall(work)\n  xpcall(work, print)\n  coroutine.wrap(work)()\nend"
    );
    let ran = Kael::new().run_with(limits).script(&source);
    ran.exits(5).no_panic();
    let said = ran.unquoted();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with(start) && lines[0].ends_with(end),
        "{}",
        ran.stderr
    );
    // The backtrace stands between them.
    assert_eq!(lines.last(), Some(&hint), "{}", ran.stderr);
    let frames = &lines[1..lines.len() - 1];
    assert!(!frames.is_empty(), "{}", ran.stderr);
    for frame in frames {
        assert!(frame.starts_with("  script.lua:"), "{}", ran.stderr);
    }
}

#[test]
fn memory() {
    let message = (
        "Error: the script needs more memory than the 32 MiB it may use (it asked for ",
        ")",
    );
    let hint = "hint: --max-memory allows more";
    for code in [
        "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
        "local s = ('x'):rep(1000) while true do s = s .. s end",
        "string.rep('x', 1e9)",
        "string.rep('x', 3000000000)",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
        "local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1000) .. i end table.concat(t)",
        "json.encode(setmetatable({ ('x'):rep(2e7) }, nil))",
    ] {
        crosses(&["--max-memory", "32MiB"], code, message, hint);
    }
}

#[test]
fn garbage_is_collected_before_memory_is_refused() {
    Kael::new()
        .script("local s = '' for i = 1, 3000 do s = s .. ('x'):rep(10000) end print(#s)")
        .prints("30000000\n");
    Kael::new()
        .run_with(&["--max-memory", "16MiB"])
        .script("collectgarbage('stop') for i = 1, 1000 do local s = ('x'):rep(100000) .. i end print('ok')")
        .prints("ok\n");
}

/// All block sizes share one memory: memory of freed small blocks can serve large ones.
#[test]
fn memory_of_small_blocks_serves_large_ones() {
    Kael::new()
        .run_with(&["--max-memory", "62MiB"])
        .script(
            "do local t = {} for i = 1, 200000 do t[i] = { i } end end \
             local large = {} for i = 1, 40 do large[i] = table.create(1 << 16) end print('ok')",
        )
        .prints("ok\n");
}

#[test]
fn cpu() {
    let (message, hint) = (
        ("Error: the script computed for ", "s, and may for 200ms"),
        "hint: --max-cpu allows more",
    );
    for code in [
        "while true do end",
        "local s = ('a'):rep(30) .. 'b' while true do s:find(('a-'):rep(30) .. 'c') end",
        "table.sort((function() local t = {} for i = 1, 1e5 do t[i] = i end return t end)(), function() while true do end end)",
        "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()",
        "local x <close> = setmetatable({}, { __close = function() while true do end end })",
        "print(setmetatable({}, { __tostring = function() while true do end end }))",
        "parallel(function() while true do end end, function() while true do end end)",
        "load(function() while true do end end)",
    ] {
        crosses(&["--max-cpu", "200ms"], code, message, hint);
    }
}

#[test]
fn waiting_is_no_computing() {
    Kael::new()
        .shell("nap", "", "sleep 0.5; echo 1")
        .run_with(&["--max-cpu", "300ms"])
        .script("print(actions.t.nap({}))")
        .prints("1\n");
}

#[test]
fn wall() {
    let hint = "hint: --timeout allows more";
    crosses(
        &["--timeout", "300ms"],
        "while true do end",
        (
            "Error: the run took longer than the 300ms it may take (it was ended after ",
            "s)",
        ),
        hint,
    );
    let start = std::time::Instant::now();
    let ran = Kael::new()
        .shell("nap", "", "sleep 4813.1")
        .run_with(&["--timeout", "300ms"])
        .script("pcall(actions.t.nap, {})");
    ran.exits(5)
        .says("Error: the run took longer than the 300ms it may take (it was ended after ")
        .says("\nhint: --timeout allows more\n");
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
    assert!(kael_tests::gone("4813.1"));
}

#[test]
fn output() {
    let ran = Kael::new()
        .run_with(&["--max-output", "1KiB"])
        .script("while true do pcall(print, ('é'):rep(50)) end");
    ran.fails(5, "Error: the script printed more than the 1 KiB it may print (it was about to have printed 1.1 KiB)\n  script.lua:1: in main chunk\nhint: --max-output allows more\n");
    assert!(ran.stdout.len() <= 1024 && ran.stdout.len() > 900);
}

#[test]
fn calls() {
    let ran = Kael::new()
        .shell("ok", "", "echo 1")
        .run_with(&["--max-calls", "3"])
        .script("for i = 1, 9 do pcall(actions.t.ok, {}) print(i) end");
    ran.fails(5, "Error: the script called more than the 3 actions it may call\n  script.lua:1: in main chunk\nhint: --max-calls allows more\n");
    assert_eq!(ran.stdout, "1\n2\n3\n");
}

#[test]
fn calls_beyond_the_parallel_limit_wait_their_turn_outside_their_own_timeout() {
    let ran = Kael::new()
        .shell("nap", "timeout = 3", "sleep 0.7; echo 1")
        .run_with(&["--max-parallel", "1"])
        .script("local fs = {} for i = 1, 5 do fs[i] = function() return actions.t.nap({}) end end print(table.concat(parallel(fs), ' '))");
    ran.prints("1 1 1 1 1\n");
}

#[test]
fn limits_that_are_no_amounts_are_refused() {
    for (option, value, error) in [
        ("--max-memory", "0MiB", "out of range"),
        ("--max-memory", "256", "is not a size"),
        ("--max-memory", "-1MiB", "is not a size"),
        ("--max-cpu", "0", "out of range"),
        ("--timeout", "soon", "is not a time"),
        ("--max-output", "9999TiB", "out of range"),
        ("--max-calls", "0", "is not in 1..=10000000"),
        ("--max-parallel", "x", "invalid digit"),
    ] {
        let option = format!("{option}={value}");
        Kael::new()
            .run_with(&[&option, "-e", ""])
            .ends()
            .exits(2)
            .says(error)
            .no_panic();
    }
}

#[test]
fn a_repo_that_hits_a_limit_is_an_invalid_repo() {
    Kael::new()
        .file("actions/init.lua", "while true do end")
        .option(&["--actions", "actions"])
        .run_with(&["--max-cpu", "200ms", "-e", ""])
        .ends()
        .exits(3)
        .says("Error: the actions repo `actions` reached a limit while it loaded: the script computed for ");
}

#[test]
fn a_size_that_was_refused_once_can_be_had_again() {
    Kael::new()
        .script("local keep = ('k'):rep(100 << 20) for i = 1, 60 do local t = table.create(3 << 20) end print('ok')")
        .prints("ok\n");
}

#[test]
fn less_memory_than_a_sandbox_needs_is_a_limit_too() {
    Kael::new()
        .run_with(&["--max-memory", "1MiB", "-e", ""])
        .ends()
        .exits(5)
        .says("Error: the script needs more memory than the 1 MiB it may use (it asked for 2.");
}
