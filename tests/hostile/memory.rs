//! What the host itself takes for a large document: a few times its text, whatever the document holds.

use std::time::Duration;

use kael_tests::Kael;
use libtest_mimic::Trial;

use crate::living::Host;
use crate::trial;

/// The most memory that a run of the program had beyond `echo`ing nothing, in KiB.
fn peak(code: &str, options: &[&str]) -> u64 {
    let session = Kael::new()
        .shell("echo", "defaults = { o = { a = 1 } }, locked = { l = { x = 1 } }", "cat > /dev/null; echo 1")
        .shell("many", "", "printf '['; head -c 3000000 /dev/zero | tr '\\0' x | sed 's/x/{\"\":0},/g'; printf '0]'")
        .file("script.lua", code)
        .run_with(options)
        .words(&["script.lua"]);
    let child = session.start();
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
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Host::get().is_well();
    peak
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // The guest's memory is the script's own, and counted; what is left is the host's.
        trial(
            "memory/parameters_of_many_values_cost_the_host_their_text",
            || {
                let make = "local l = {} for i = 1, 1000000 do l[i] = { [''] = 0 } end local p = { o = { b = l }, l = { y = 1 } }";
                let options = ["--max-memory", "1GiB"];
                let without = peak(&format!("{make} json.encode(p) collectgarbage()"), &options);
                let with = peak(
                    &format!("{make} json.encode(p) collectgarbage() actions.t.echo(p)"),
                    &options,
                );
                // 7 bytes each, four times over, and as much again for the guest's own copies.
                let bound = 1_000_000 * 7 * 4 / 1024;
                assert!(
                    with < without + 2 * bound,
                    "{without} KiB without, {with} KiB with, {bound} KiB allowed"
                );
            },
        ),
        trial(
            "memory/a_result_of_many_values_costs_the_host_its_text",
            || {
                let code = "local ok, e = pcall(actions.t.many, {}) assert(not ok and e.kind == 'bad_output', tostring(e))";
                let (without, with) = (peak("", &[]), peak(code, &[]));
                let bound = 3_000_000 * 7 * 4 / 1024;
                assert!(
                    with < without + bound,
                    "{without} KiB without, {with} KiB with, {bound} KiB allowed"
                );
            },
        ),
    ]
}
