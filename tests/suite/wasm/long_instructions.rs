//! Instructions over gigabytes, which nothing interrupts, hold up no limit of the run.

use serde_json::Value;

use super::*;

/// Fills two gibibytes by one instruction, again and again.
const FILLS: &str = r#"(module
  (memory (export "memory") 32768)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x7fff0000))
      (br $again))))"#;

/// How many milliseconds after its limit a run was over. The best of some tries, because a machine
/// that is busy may be slow.
fn soonest(session: impl Fn() -> Kael, script: &str, limit: f64) -> f64 {
    let late = |_| {
        let ran = session().script(script);
        let report: Value = serde_json::from_str(&ran.exits(5).stdout).expect("a report");
        let used = report["usage"]["wall_ms"].as_f64().expect("milliseconds");
        used - limit
    };
    (0..5).map(late).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_long_instruction_holds_up_no_limit_of_its_run() {
    let session = || wat("limits = { memory = '2GiB' }", FILLS);
    // Compiles the file, so that the instances have begun when the limit is reached.
    let validated = session().words(&["actions", "validate"]).ends();
    validated.exits(0);
    // As many as there are threads that drive runs, which keep the time and hear signals.
    let script = "parallel(actions.t.a, actions.t.a)";
    let limited = || session().run_with(&["--json", "--timeout", "700ms"]);
    let late = soonest(limited, script, 700.0);
    assert!(late <= 100.0, "{late} ms late");
}

#[test]
fn shared_memory_and_threads_are_refused() {
    let start = |memory: &str, code: &str| {
        format!(r#"(module (memory (export "memory") {memory}) (func (export "_start") {code}))"#)
    };
    let wait = "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))";
    for text in [start("1 65536 shared", ""), start("1", wait)] {
        let tell = "local ok, e = pcall(actions.t.a) print(ok, e.kind)";
        let ran = wat("", &text).script(tell);
        ran.prints("false\tunavailable\n");
    }
}
