//! Rules that look at events for a long time: as many as `KAEL_SOAK_EVENTS` says, and 100,000 in the
//! suite.
//!
//! Good rules, one that never ends, and those that remember matches by key stand beside each other.
//! No alert is missing, and memory does not grow with the events.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::process::Stdio;

use super::{Rules as _, session};

const THRESHOLD: &str = r#","threshold":{"count":10,"window_ms":1000000,"by":["process.pid"]}"#;
const SEQUENCE: &str =
    r#","sequence":{"by":["process.pid"],"steps":["first","second"],"maxspan_ms":10000}"#;
const THROTTLE: &str = r#","throttle":{"by":["process.name"],"period_ms":10000}"#;
/// Memory that the second half of the events may add, in MiB.
const GROWTH: f64 = 4.0;

fn events() -> u64 {
    let said = std::env::var("KAEL_SOAK_EVENTS").ok();
    said.map_or(100_000, |text| text.parse().expect("events"))
}

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<f64>().ok()).expect("a size") / 1024.0
}

#[test]
fn a_long_stream_loses_no_alert_and_takes_no_more_memory() {
    let count = events() / 1000 * 1000;
    let kael = session()
        .rule(
            "single",
            "",
            "function pred_eval(e) return kestrel.event_get_i64(e, 1) % 1000 == 0 end",
        )
        .rule(
            "counted",
            THRESHOLD,
            "function pred_eval(e) return kestrel.event_get_str(e, 2) == 'counted' end",
        )
        .rule(
            "ordered",
            SEQUENCE,
            "function first(e) return kestrel.event_get_str(e, 2) == 'one' end
             function second(e) return kestrel.event_get_str(e, 2) == 'two' end",
        )
        .rule(
            "throttled",
            THROTTLE,
            "function pred_eval(e) return kestrel.event_get_str(e, 2) == 'one' end",
        )
        .rule(
            "hostile",
            "",
            "local all = {}
             function pred_eval(e)
               if kestrel.event_get_i64(e, 1) == 7 then while true do all[#all + 1] = {} end end
               return false
             end",
        );
    let folder = kael.path().to_owned();
    let errors = fs::File::create(folder.join("stderr")).expect("a file");
    let mut command = kael.command();
    command.args(["rules", "run", "rules", "--alerts", "alerts.jsonl"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .expect("it starts");
    let mut stdin = BufWriter::new(child.stdin.take().expect("a pipe"));
    let mut half = 0.0;
    // A thousand events a second: of each thousand three are the hostile rule's, 100 are counted, by ten keys, one pair is in order, and the
    // others begin sequences that never end: what is kept of these is bounded.
    for n in 0..count {
        let (pid, name) = match n % 1000 {
            0 => (1000, "first of a thousand"),
            1 => (n, "one"),
            2 => (n - 1, "two"),
            3..6 => (7, "of the hostile rule"),
            at @ 100..200 => (1_000_010 + at % 10, "counted"),
            _ => (n, "one"),
        };
        writeln!(
            stdin,
            "{{\"type\":\"process_exec\",\"t\":{n},\"process.pid\":{pid},\"process.name\":\"{name}\"}}"
        )
        .expect("written");
        if n == count / 2 {
            stdin.flush().expect("written");
            half = resident(child.id());
        }
    }
    stdin.flush().expect("written");
    let end = resident(child.id());
    drop(stdin);
    let status = child.wait().expect("it ends");
    let said = fs::read_to_string(folder.join("stderr")).expect("a text");
    // A rule is off, which its exit code says.
    assert_eq!(status.code(), Some(5), "{said}");
    println!("{count} events; MiB in the middle and at the end: {half:.1}, {end:.1}\n{said}");
    let alerts = fs::read_to_string(folder.join("alerts.jsonl")).expect("alerts");
    let of = |rule: &str, kind: &str| {
        let (rule, kind) = (
            format!("\"rule_id\":\"{rule}\""),
            format!("\"rule_type\":\"{kind}\""),
        );
        let is_so = |line: &&str| line.contains(&rule) && line.contains(&kind);
        alerts.lines().filter(is_so).count() as u64
    };
    let thousands = count / 1000;
    assert_eq!(of("single", "single_event"), thousands);
    assert_eq!(of("counted", "threshold"), thousands * 10);
    assert_eq!(of("ordered", "sequence"), thousands);
    // One in ten seconds goes out, and what is held at the end is told.
    assert_eq!(of("throttled", "single_event"), thousands.div_ceil(10));
    assert!(
        said.contains(&format!("{count} events, 0 bad lines")),
        "{said}"
    );
    assert!(end < half + GROWTH, "{half} {end}");
}
