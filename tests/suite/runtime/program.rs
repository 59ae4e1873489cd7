//! What the program itself says of its runs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kael_tests::Kael;
use serde_json::Value;

use super::LONG;

/// The report of the program, which `run --json` prints.
fn report(code: &str) -> Value {
    let ran = Kael::new().run_with(&["--json", "-e", code]).ends();
    serde_json::from_str(&ran.stdout).expect("a report")
}

#[test]
fn the_report_of_the_program_names_run_tenant_and_times() {
    let (first, second) = (
        report("return 1"),
        report("pcall(function() return actions.x({}) end)"),
    );
    assert_ne!(first["run"], second["run"]);
    for report in [&first, &second] {
        assert_eq!(report["tenant"], "default");
        assert_eq!(report["run"].as_str().map(str::len), Some(36));
        let time = |name: &str| report[name].as_str().expect("a time").to_owned();
        let (started, ended) = (time("started"), time("ended"));
        assert!(
            started <= ended && started.ends_with('Z') && started.len() == 24,
            "{started}"
        );
    }
}

#[test]
fn a_run_that_a_signal_ends_reports_the_calls_that_it_made() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let session = session
        .shell("quick", "", "echo 1")
        .shell("slow", &fields, "touch ../state/began; sleep 1000")
        .run_with(&[
            "--json",
            "-e",
            "print('before') actions.t.quick({}) actions.t.slow({})",
        ]);
    let began = Path::new(&state).join("began");
    let child = session.start();
    let ends = Instant::now() + LONG;
    while !began.exists() && Instant::now() < ends {
        std::thread::sleep(Duration::from_millis(20));
    }
    let number = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &number]).status();
    assert!(sent.expect("kill starts").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let outcomes: Vec<_> = report["calls"].as_array().expect("calls").iter().collect();
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|call| call["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, [Some("ok"), Some("cancelled")]);
    assert_eq!(
        (&report["output"], &report["usage"]["calls"]),
        (&"before\n".into(), &2.into())
    );
}
