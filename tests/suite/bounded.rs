//! What the host does beside a run, or behind it, has bounds: it ends at the run's limit and on a
//! signal, with every script, repo, file and reader.

use std::process::Child;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What a machine that is busy may take longer than it should. Without a bound these take minutes.
const SLACK: Duration = Duration::from_secs(20);

/// How it ends by itself, while nothing is read of what it says.
#[track_caller]
fn ends(child: &mut Child, within: Duration) -> i32 {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return status.code().unwrap_or(-1);
        }
        if begun.elapsed() > within + SLACK {
            child.kill().ok();
            panic!("it still runs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read(from: Option<impl std::io::Read>) -> String {
    let mut text = String::new();
    let mut from = from.expect("a pipe");
    from.read_to_string(&mut text).expect("text");
    text
}

const NODES: &str = r##"(function()
  local ref = { ["$ref"] = "#/$defs/node" }
  local function node(kind)
    return { type = "object", properties = { kind = { const = kind }, child = ref }, required = { "kind" } }
  end
  local any = { node("box"), node("row"), node("text") }
  return { type = "object", properties = { tree = ref }, ["$defs"] = { node = { anyOf = any } } }
end)()"##;

/// Calls `action` with a tree of which no node is of a kind that there is.
fn with_a_tree(action: &str) -> String {
    format!(
        "local t = {{ kind = 'none' }} for i = 2, 60 do t = {{ kind = 'none', child = t }} end\n\
         local ok, e = pcall(actions.t.{action}, {{ tree = t }}) print(ok, e.kind, e.message)"
    )
}

#[test]
fn alternatives_that_multiply_are_checked_within_bounds() {
    for (fields, kind, whole) in [
        (
            format!("params = {NODES}"),
            "invalid_params",
            "the parameters must fit the schema",
        ),
        (
            format!("returns = {NODES}"),
            "bad_output",
            "returned what its definition does not promise: the result must fit the schema",
        ),
    ] {
        let session = || {
            Kael::new()
                .shell("a", &fields, "cat")
                .run_with(&["--timeout", "10s"])
        };
        let begun = Instant::now();
        let ran = session().script(&with_a_tree("a"));
        let said = format!(
            "false\t{kind}\t{whole}, and there is too much of it to say where it does not\n"
        );
        ran.prints(&said);
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
        // One that fits is no trouble.
        let good = with_a_tree("a").replace("'none'", "'row'");
        session()
            .script(&good.replace(", e.kind, e.message", ""))
            .prints("true\n");
    }
}

#[test]
fn a_check_that_is_given_up_names_its_bound_and_what_helps() {
    let schema = "(function() local defs = { d40 = { minLength = 1 } } for i = 0, 39 do \
        local next = { ['$ref'] = '#/$defs/d' .. i + 1 } defs['d' .. i] = { allOf = { next, next } } end \
        return { type = 'object', properties = { x = { ['$ref'] = '#/$defs/d0' } }, ['$defs'] = defs } end)()";
    let ran = Kael::new()
        .shell("a", &format!("params = {schema}"), "cat")
        .run_with(&["--timeout", "10s"])
        .script("actions.t.a({ x = 'y' })");
    let ran = ran.exits(1);
    let said = "Error: t.a failed: the parameters would take more than 1000150 steps to check\n";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("\nhint: alternatives that a `const` or a `type` tells apart")
    );
}

/// A run with a reader of stderr that does not read.
fn unread(options: &[&str], script: &str) -> (Kael, Child) {
    let session = Kael::new()
        .shell("a", "", "cat")
        .file("script.lua", script)
        .run_with(options)
        .words(&["script.lua"]);
    let host = session.start();
    (session, host)
}

#[test]
fn a_reader_of_stderr_that_takes_nothing_holds_no_run_up() {
    let calls = "for i = 1, 5000 do actions.t.a({ a = i }) end while true do end";
    let long = "error(('x\\n'):rep(40000), 0)";
    for (options, script, code) in [
        (&["--timeout", "2s", "--dry-run"][..], calls, 5),
        (&["--timeout", "2s", "--dry-run", "-v"][..], calls, 5),
        (&["--timeout", "2s"][..], long, 1),
        (
            &["--timeout", "2s", "--json"][..],
            "print(('x'):rep(200000)) while true do end",
            5,
        ),
    ] {
        let (_session, mut host) = unread(options, script);
        assert_eq!(ends(&mut host, Duration::from_secs(4)), code, "{options:?}");
    }
}

#[test]
fn a_reader_that_comes_late_finds_the_report_of_a_run_that_ended_at_its_limit() {
    // What `-v` says fills a pipe and more; the report of the limit comes behind it.
    let calls = "for i = 1, 3000 do actions.t.a({ a = i }) end while true do end";
    let (_session, mut host) = unread(&["--timeout", "3s", "--dry-run", "-v"], calls);
    assert_eq!(ends(&mut host, Duration::from_secs(4)), 5);
    let said = read(host.stderr.take());
    assert!(
        said.contains("\nError: the run took longer than the 3s it may take"),
        "{}",
        &said[said.len().saturating_sub(500)..]
    );
}

#[test]
fn a_reader_that_takes_nothing_is_not_waited_for_behind_the_limit() {
    // No pipe: nothing can give it more room.
    let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("a socket");
    let session = Kael::new()
        .file("script.lua", "error(('x\\n'):rep(400000), 0)")
        .run_with(&["--timeout", "2s"])
        .words(&["script.lua"]);
    let mut host = session.start_with(
        std::process::Stdio::null(),
        std::os::fd::OwnedFd::from(writer),
    );
    assert_eq!(ends(&mut host, Duration::from_secs(2)), 1);
    drop(reader);
}

#[test]
fn a_pipe_that_stdout_and_stderr_share_holds_no_run_up() {
    let script =
        "for i = 1, 5000 do actions.t.a({ a = i }) print(('x'):rep(200)) end while true do end";
    let session = Kael::new()
        .shell("a", "", "cat")
        .file("script.lua", script)
        .run_with(&["--timeout", "2s", "--dry-run", "-v"])
        .words(&["script.lua"]);
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let mut host = session.start_with(writer.try_clone().expect("a pipe"), writer);
    assert_eq!(ends(&mut host, Duration::from_secs(4)), 5);
}

#[test]
fn lines_that_find_no_room_are_counted_where_they_are_missing() {
    let calls = "for i = 1, 20000 do actions.t.a({ a = i }) end";
    let (_session, mut host) = unread(&["--dry-run", "--max-cpu", "60s"], calls);
    // By now a pipe and the room behind it are full.
    std::thread::sleep(Duration::from_secs(3));
    let said = read(host.stderr.take());
    assert_eq!(ends(&mut host, SLACK), 0);
    assert!(said.contains(" lines left out here: they came faster than they were read)\n"));
    let shown = said.matches("dry run: t.a\n").count();
    assert!((1000..20_000).contains(&shown), "{shown}");
}

#[test]
fn a_signal_ends_a_report_that_is_not_read() {
    let long = "error(('x\\n'):rep(40000), 0)";
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (_session, mut host) = unread(&[], long);
        std::thread::sleep(Duration::from_secs(2));
        assert!(
            host.try_wait().expect("it can be asked").is_none(),
            "it waits for its reader"
        );
        kill_process(Pid::from_child(&host), signal).expect("it is there");
        assert_eq!(ends(&mut host, Duration::ZERO), code);
    }
}

#[test]
fn a_report_that_is_read_late_is_whole() {
    let (_session, mut host) = unread(&[], "error(('x\\n'):rep(30000), 0)");
    std::thread::sleep(Duration::from_secs(1));
    let said = read(host.stderr.take());
    assert_eq!(ends(&mut host, SLACK), 1);
    assert_eq!(said.matches("x\n").count(), 30_000);
}

#[test]
fn what_is_computed_beside_a_run_does_not_hold_up_its_end() {
    let lines = "yes '{\"a\":[1,2,3,{}]}' | head -c 60000000";
    let session = Kael::new().shell("lines", "output = 'ndjson'", lines);
    let script = "local list = {} for i = 1, 8 do list[i] = function() actions.t.lines({}) end end \
                  parallel(table.unpack(list))";
    let session = session.run_with(&["--timeout", "2s", "--max-memory", "1GiB"]);
    let session = session.file("script.lua", script).words(&["script.lua"]);
    // The best of some tries: a machine that is busy may be late.
    let took = (0..3).map(|_| {
        let begun = Instant::now();
        let mut host = session.start();
        assert_eq!(ends(&mut host, Duration::from_secs(2)), 5);
        begun.elapsed()
    });
    let soonest = took.min().expect("tries");
    assert!(soonest < Duration::from_millis(3500), "{soonest:?}");
}

#[test]
fn a_message_that_names_many_lines_of_a_large_script_is_told_soon() {
    let head = "error(('script.lua:16000000: x\\n'):rep(2900), 0)\n";
    let script = head.to_owned() + &"\n".repeat((16 << 20) - head.len() - 10);
    let begun = Instant::now();
    let ran = Kael::new().run_with(&["--timeout", "10s"]).script(&script);
    let ran = ran.exits(1);
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    // Ten lines are looked up, and the text of each is shown.
    assert_eq!(ran.stderr.matches("    16000000 | ").count(), 10);
    assert!(ran.stderr.matches("script.lua:16000000: x").count() > 2000);
}

#[test]
fn a_script_of_many_unknown_names_is_checked_soon_and_a_signal_ends_it() {
    let names: String = (0..60_000).map(|n| format!("print(undef{n})\n")).collect();
    let script = format!("local t = [==[{}]==]\n{names}", "x".repeat(3_000_000));
    let session = Kael::new()
        .file("script.lua", &script)
        .words(&["check", "--json", "script.lua"]);
    let mut host = session.start();
    let report = read(host.stdout.take());
    assert_eq!(ends(&mut host, Duration::ZERO), 1);
    let report: Value = serde_json::from_str(&report).expect("a report");
    let problems = report["scripts"][0]["problems"]
        .as_array()
        .expect("problems");
    assert_eq!(problems.len(), 200);
    assert_eq!(problems[199]["line"], 201);
    // So many times, that it takes longer than the signal.
    let mut words = vec!["check"];
    words.resize(60, "script.lua");
    let session = Kael::new().file("script.lua", &script).words(&words);
    let mut host = session.start();
    std::thread::sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&host), Signal::TERM).expect("it is there");
    let code = ends(&mut host, Duration::ZERO);
    // The program may not yet have listened.
    assert!(matches!(code, 143 | -1), "{code}");
}

#[test]
fn a_script_of_nothing_but_names_is_checked_within_bounds() {
    let script: String = (0..180_000).map(|n| format!("a{n} = b{n}\n")).collect();
    let begun = Instant::now();
    let ran = Kael::new()
        .file("script.lua", script)
        .words(&["check", "script.lua"])
        .ends();
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    let said =
        "script.lua: note: it has too many names: only its syntax was checked\nno problems\n";
    assert_eq!(ran.exits(0).stdout, said);
}

#[test]
fn the_page_of_any_run_has_a_bound() {
    let script = "local rows = {} for i = 1, 10000 do rows[i] = { x = '' .. i, y = i, s = 's' .. i % 20 } end\n\
        for i = 1, 200 do report.chart('bar', rows, { x = 'x', y = 'y', series = 's' }) end\n\
        local rows = {} for i = 1, 1000 do rows[i] = { a = ('<'):rep(900) } end\n\
        for i = 1, 20 do report.table(rows) end";
    let session = Kael::new().run_with(&["--html", "out.html", "--max-cpu", "60s"]);
    let ran = session.script(script);
    ran.exits(0);
    let page = std::fs::read_to_string(ran.path().join("out.html")).expect("a page");
    assert!(page.len() < 32 << 20, "{}", page.len());
    assert!(page.contains("more tables and charts found no room on this page"));
    assert!(page.contains("Of each stretch of points the least and the greatest are drawn"));
    assert!(page.matches("<rect class=\"f\" x=").count() <= 200 * 1000);
}

#[test]
fn a_dry_run_reports_a_beginning_and_how_much_is_missing() {
    let script = "local s = ('x'):rep(1 << 20) for i = 1, 70 do actions.t.a({ s = s }) end";
    let ran = Kael::new()
        .shell("a", "", "cat")
        .run_with(&["--dry-run", "--json"])
        .script(script);
    ran.exits(0);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    let planned = report["planned"].as_array().expect("calls").len();
    let left_out = report["planned_left_out"].as_u64().expect("a number");
    assert_eq!(planned as u64 + left_out, 70);
    assert!((50..70).contains(&planned), "{planned}");
}

/// An action that nests folders in its `TMPDIR` as fast as it can. Removing them takes far longer than
/// a command may take to end.
fn nests_folders() -> Kael {
    let code = "import os, sys\nos.chdir(os.environ['TMPDIR'])\nprint('nests', file=sys.stderr, flush=True)\n\
                while True:\n  os.mkdir('d')\n  os.chdir('d')\n";
    Kael::new()
        .program("impl/nest.py", code)
        .shell("a", "", "exec python3 \"$(dirname \"$0\")/nest.py\"")
        .file("script.lua", "actions.t.a({})")
}

#[test]
fn a_temporary_folder_that_takes_long_to_remove_holds_up_no_end() {
    let session = nests_folders().run_with(&["--timeout", "5s"]);
    let session = session.words(&["script.lua"]);
    // The best of some tries: a machine that is busy may be late.
    let took = (0..2).map(|_| {
        let begun = Instant::now();
        let mut host = session.start();
        assert_eq!(ends(&mut host, Duration::from_secs(5)), 5);
        begun.elapsed()
    });
    let soonest = took.min().expect("tries");
    assert!(soonest < Duration::from_millis(6500), "{soonest:?}");
}

#[test]
fn a_pattern_that_takes_long_over_a_short_text_holds_up_no_end() {
    // A state for each of nine thousand places is looked at for each letter.
    let pattern =
        "params = { type = 'object', properties = { s = { pattern = '[ab]*a[ab]{9000}c' } } }";
    let script = "local t = {} for i = 1, 25000 do t[i] = math.random() < 0.5 and 'a' or 'b' end
                  local s = table.concat(t) while true do pcall(actions.t.a, { s = s }) end";
    let session = Kael::new()
        .shell("a", pattern, "cat")
        .file("script.lua", script)
        .run_with(&["--timeout", "1s"])
        .words(&["script.lua"]);
    // The best of some tries: a machine that is busy may be late.
    let took = (0..3).map(|_| {
        let begun = Instant::now();
        let mut host = session.start();
        assert_eq!(ends(&mut host, Duration::from_secs(1)), 5);
        begun.elapsed()
    });
    let soonest = took.min().expect("tries");
    assert!(soonest < Duration::from_millis(2000), "{soonest:?}");
}
