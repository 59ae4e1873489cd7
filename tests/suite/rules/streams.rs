//! Streams of events: files that grow, bad lines, and what is written besides alerts.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{EVENTS, NAMED_NC, Rules as _, lines, session};

#[test]
fn state_metrics_and_dead_letters_are_files() {
    let counting = "local n = 0
        function pred_eval(e) n = n + 1 return n == 3 end
        function pred_save() return tostring(n) end
        function pred_restore(saved) n = tonumber(saved) end";
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let once = |events: &str| {
        session()
            .rule("a", "", counting)
            .words(&[
                "rules",
                "run",
                "rules",
                "--state",
                &at("state"),
                "--metrics",
                &at("metrics"),
            ])
            .words(&["--dead-letter", &at("dead"), "--alerts", &at("alerts")])
            .stdin(events)
            .ends()
            .exits(0);
    };
    once("{}\n{}\n");
    once("[1]\n{}\n");
    let alerts = fs::read_to_string(at("alerts")).expect("alerts");
    assert!(alerts.starts_with("{\"id\":\"a-0-2\""), "{alerts}");
    let metrics = fs::read_to_string(at("metrics")).expect("metrics");
    assert!(
        metrics.contains("kael_rules_alerts_total{rule=\"a\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("kael_rules_bad_lines_total{reason=\"not_an_object\"} 1"),
        "{metrics}"
    );
    let dead = fs::read_to_string(at("dead")).expect("letters");
    assert!(dead.contains(r#""raw":"[1]""#), "{dead}");
}

#[test]
fn a_bad_line_and_a_severe_alert_can_fail_the_run() {
    let ran = session()
        .rule("nc", "", NAMED_NC)
        .words(&["rules", "run", "rules", "--bad", "fail"])
        .stdin(EVENTS)
        .ends();
    ran.fails_with(1, "Error: stdin:3:2: not JSON: expected ident");
    let severe = |least: &str| {
        session()
            .rule("nc", "", NAMED_NC)
            .words(&["rules", "run", "rules", "--fail-on", least])
            .stdin(EVENTS)
            .ends()
    };
    severe("high").exits(1);
    severe("Critical").exits(0);
    severe("worst").exits(2);
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_is_followed_and_a_changed_rule_is_loaded_if_its_tests_pass() {
    let kael = session()
        .rule("nc", "", NAMED_NC)
        .file(
            "rules/nc/tests/a.jsonl",
            "{\"process.name\":\"nc\",\"_expect\":true}\n",
        )
        .file("events.jsonl", "")
        .words(&[
            "rules",
            "run",
            "rules",
            "--events",
            "events.jsonl",
            "--follow",
            "--watch",
        ])
        .words(&["--alerts", "alerts.jsonl"]);
    let folder = kael.path().to_owned();
    let errors = fs::File::create(folder.join("stderr")).expect("a file");
    let mut child = kael.start_with(Stdio::null(), errors);
    let mut events = fs::File::options()
        .append(true)
        .open(folder.join("events.jsonl"))
        .expect("events");
    let mut add = |name: &str| {
        let line = format!("{{\"process.name\":\"{name}\",\"process.pid\":1}}\n");
        events.write_all(line.as_bytes()).expect("written");
    };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    add("nc");
    wait_for("the first alert", || {
        read("alerts.jsonl").lines().count() == 1
    });
    let predicate = folder.join("rules/nc/predicate.lua");
    fs::write(&predicate, "function pred_eval(e) return false end").expect("written");
    wait_for("the refusal", || read("stderr").contains("its test fails"));
    add("nc");
    wait_for("the old rule", || read("alerts.jsonl").lines().count() == 2);
    fs::write(
        &predicate,
        "function pred_eval(e) return kestrel.event_get_str(e, 2) ~= '' end",
    )
    .expect("written");
    wait_for("the new rule", || {
        read("stderr").contains("version 1.0.0 is loaded")
    });
    add("sh");
    wait_for("its alert", || read("alerts.jsonl").lines().count() == 3);
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it is there");
    assert!(
        child.wait().expect("it ends").success(),
        "{}",
        read("stderr")
    );
    assert!(
        read("stderr").contains("3 events, 0 bad lines"),
        "{}",
        read("stderr")
    );
}

#[test]
fn no_line_of_events_gets_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let mut file = fs::File::create(&path).expect("a file");
    let mut add = |bytes: &[u8]| file.write_all(bytes).expect("written");
    // A hundred megabytes without an end of line, and then a line that alerts.
    add(b"{\"process.name\":\"");
    let part = vec![b'a'; 1 << 20];
    (0..100).for_each(|_| add(&part));
    add(b"\"}\n");
    add(format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000)).as_bytes());
    add(format!("{{\"a\":{}{}}}\n", "[".repeat(70), "]".repeat(70)).as_bytes());
    add(b"{\"process.name\":\"\xff\xfe\"}\n");
    add(b"{\"process.name\":\"nc\",\"process.name\":\"sh\"}\r\n\r\n");
    add(b"{\"process.name\":\"nc\",\"process.pid\":1e400}\n{\"process.name\":\"n");
    add(b"c\\u0000\",\"process.pid\":18446744073709551616}");
    let ran = session()
        .rule("nc", "", NAMED_NC)
        .words(&["rules", "run", "rules", "--events"])
        .words(&[path.to_str().expect("text")])
        .ends();
    ran.exits(0).no_panic();
    ran.says("not_utf8 1");
    ran.says("too_deep 2");
    ran.says("too_long 1");
    assert_eq!(lines(&ran), ["nc 8"]);
}
