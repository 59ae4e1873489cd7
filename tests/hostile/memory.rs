//! The host's memory for a large document: at most four times its text, for any content.

use std::time::Duration;

use kael_tests::Kael;
use libtest_mimic::Trial;

use crate::in_process_host::Host;
use crate::trial;

/// How many times `{"":0},` stands in a document. As parsed values each takes hundreds of bytes.
const OBJECTS: usize = 1_000_000;

/// KiB that the host may use for such a document: four times its text.
const ALLOWED: u64 = (OBJECTS * 7 * 4 / 1024) as u64;

/// Lua code that makes `p`, a table with this many values.
fn parameters() -> String {
    format!(
        "local l = {{}} for i = 1, {OBJECTS} do l[i] = {{ [''] = 0 }} end local p = {{ o = {{ b = l }}, l = {{ y = 1 }} }}"
    )
}

/// The peak memory of a run, in KiB.
fn peak(code: &str, options: &[&str]) -> u64 {
    let objects = |count: usize| {
        format!(
            "printf '['; head -c {count} /dev/zero | tr '\\0' x | sed 's/x/{{\"\":0}},/g'; printf '0]'"
        )
    };
    let (many, too_many) = (objects(OBJECTS), objects(2 * OBJECTS));
    let session = Kael::new()
        .shell("echo", "defaults = { o = { a = 1 } }, locked = { l = { x = 1 } }", "cat > /dev/null; echo 1")
        .shell("schema", "params = { type = 'object' }, input = 'args'", "echo 1")
        .shell("too_many", "", &too_many)
        .shell("broken", "returns = { a = 'string' }", &many)
        .shell("text", "output = 'text'", &many)
        .file("answers.json", r#"[{ "action": "t.echo", "params": { "x": 1 }, "result": 2 }, { "action": "t.echo", "result": 1 }]"#)
        .file("script.lua", code)
        .run_with(&["--max-memory", "1GiB"])
        .words(options)
        .words(&["script.lua"]);
    let mut child = session.start();
    // A dry run prints more than a pipe holds.
    let mut printed = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while let Ok(text) = std::fs::read_to_string(&status) {
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let Some(kib) = line.and_then(|line| line.split_whitespace().nth(1)) else {
            break;
        };
        peak = kib.parse().unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("it ends");
    reader.join().expect("it reads").expect("a pipe");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Host::get().is_well();
    peak
}

/// Checks two runs that differ only in the host's memory for one document.
#[track_caller]
fn costs_the_host_its_text(without: &str, with: &str, options: &[&str]) {
    let (without, with) = (peak(without, &[]), peak(with, options));
    assert!(
        with < without + ALLOWED,
        "{without} KiB without, {with} KiB with, {ALLOWED} KiB allowed"
    );
}

/// The guest's memory is bounded by the script's limit, so only the host's matters here. The guest
/// does the same in both runs: `json.encode` does in it what a call with these parameters does.
fn sends(call: &str, options: &[&str]) {
    let make = parameters();
    let encode = "json.encode(p) collectgarbage()";
    costs_the_host_its_text(
        &format!("{make} {encode} {encode}"),
        &format!("{make} {encode} {call} collectgarbage()"),
        options,
    );
}

/// A result that the guest accepts is in its memory, too. A refused result is only in the host's. Both runs call an action,
/// because what the host has for the first call of a run is no part of what a document costs.
fn refused(action: &str, kind: &str) {
    let code = format!(
        "local ok, e = pcall(actions.t.{action}, {{}}) assert(not ok and e.kind == '{kind}', tostring(e))"
    );
    costs_the_host_its_text("actions.t.echo({})", &code, &[]);
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "memory/parameters_that_are_merged_cost_the_host_their_text",
            || {
                sends("actions.t.echo(p)", &[]);
            },
        ),
        trial(
            "memory/parameters_that_are_too_many_cost_the_host_their_text",
            || {
                sends("assert(not pcall(actions.t.schema, p))", &[]);
            },
        ),
        trial(
            "memory/parameters_that_are_recorded_cost_the_host_their_text",
            || {
                sends("actions.t.echo(p)", &["--record", "recorded.jsonl"]);
            },
        ),
        trial(
            "memory/parameters_of_a_dry_run_cost_the_host_their_text",
            || {
                let options = ["--dry-run", "--json", "--answers", "answers.json"];
                sends("actions.t.echo(p)", &options);
            },
        ),
        trial(
            "memory/a_result_of_too_many_values_costs_the_host_its_text",
            || {
                refused("too_many", "bad_output");
            },
        ),
        trial(
            "memory/a_result_that_breaks_its_promise_costs_the_host_its_text",
            || {
                refused("broken", "bad_output");
            },
        ),
        trial("memory/a_text_as_a_result_costs_the_host_its_text", || {
            let code = "local ok, e = pcall(actions.t.text, {}) assert(ok, tostring(e))";
            let plain = "local s = ('\"'):rep(7 * 1000000) s = json.decode(json.encode(s)) collectgarbage()";
            costs_the_host_its_text(plain, code, &[]);
        }),
    ]
}
