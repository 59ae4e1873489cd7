//! What comes behind a match of a rule: throttles, thresholds and sequences, the way from a line to
//! its alert, and the memory of rules that are loaded.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::sandbox::Verdict;
use kael_rules::after::{After, Match};
use kael_rules::event::{Event, Reader};
use kael_rules::package::Manifest;
use kael_rules::schema::Schema;
use kael_tests::Kael;

use super::document::{MEGABYTE, document, round_trip};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

const SCHEMA: &str = r#"{"schema_version":"1.0","type":{"from":["type"],"default":"other"},"time":{"from":["t"],"format":"ms"},
    "event_types":{"1":"process_exec","2":"other"},
    "fields":{"1":{"path":"process.pid","type":"i64"},"2":{"path":"process.name","type":"string"}}}"#;
const PREDICATE: &str = "function pred_eval(e)
  return kestrel.event_get_i64(e, 1) > 100 and kestrel.event_get_str(e, 2):find('nc', 1, true) ~= nil
end";

/// A match that is throttled, counted or ordered, in seconds.
const MATCH: f64 = 1.0 / 500_000.0;
/// From a line to its alert, in seconds, for 99 of 100.
const ALERT: f64 = 5e-3;
/// The memory of a rule, in MiB.
const MEMORY: f64 = 1.0;

const MATCHES: u64 = 50_000;
const RULES: usize = 200;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let text = document(MEGABYTE);
    let mut rows = after(effort, &text)?;
    rows.push(to_alert(effort, &text)?);
    rows.push(memory(effort)?);
    Ok(rows)
}

fn manifest(more: &str) -> String {
    format!(
        r#"{{"format_version":"1.0","metadata":{{"rule_id":"r","rule_name":"r","rule_version":"1"}}{more}}}"#
    )
}

/// Matches of 1,000 processes, by what is done with them.
fn after(effort: Effort, text: &str) -> Result<Vec<Row>> {
    let mut problems = Vec::new();
    let schema =
        Schema::read("s", SCHEMA.as_bytes(), &mut problems).ok_or(format!("{problems:?}"))?;
    let mut reader = Reader::new(&schema, false);
    let events: Vec<Arc<Event>> = (0..MATCHES)
        .map(|n| {
            let line = format!(
                r#"{{"t":{n},"process.pid":{},"process.name":"nc"}}"#,
                n % 1000
            );
            let event = reader.event(n + 1, line.as_bytes());
            event
                .map(Arc::new)
                .map_err(|error| format!("{error:?}").into())
        })
        .collect::<Result<_>>()?;
    let kinds = [
        (
            "matches: a throttle",
            r#","throttle":{"by":["process.pid"],"period_ms":10000}"#,
            1,
        ),
        (
            "matches: a threshold",
            r#","threshold":{"count":10,"window_ms":20000,"by":["process.pid"]}"#,
            1,
        ),
        (
            "matches: a sequence of two",
            r#","sequence":{"by":["process.pid"],"steps":["a","b"],"maxspan_ms":10000}"#,
            2,
        ),
    ];
    let mut rows = Vec::new();
    for (name, section, functions) in kinds {
        let manifest = Manifest::read("m", manifest(section).as_bytes(), &mut problems)
            .ok_or(format!("{problems:?}"))?;
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(12) {
            let native = round_trip(text)?.as_secs_f64();
            let mut after = After::new(&manifest, &schema);
            let mut found = 0;
            let took = timed(|| {
                for (n, event) in events.iter().enumerate() {
                    let verdict = |at: usize| Verdict {
                        matched: n / 1000 % functions == at,
                        ..Verdict::default()
                    };
                    let all = after.take(Match {
                        event: event.clone(),
                        verdicts: (0..functions).map(verdict).collect(),
                        captures: None,
                    });
                    found += all.len();
                }
                Ok(())
            })?;
            if found == 0 {
                return Err(format!("{name}: nothing was found").into());
            }
            pairs.push(took.as_secs_f64() / events.len() as f64, native);
        }
        let took = pairs.what();
        let row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
        rows.push(row.aims(time(MATCH), took <= MATCH));
    }
    Ok(rows)
}

/// A process that evaluates what is written to its stdin.
struct Running {
    child: std::process::Child,
    events: Option<ChildStdin>,
    alerts: BufReader<ChildStdout>,
    next: u64,
    _session: Kael,
}

impl Running {
    fn start(rules: usize) -> Result<Self> {
        let mut session = Kael::new().file("rules/schema.json", SCHEMA);
        for n in 0..rules {
            // Only the first of them finds anything.
            let predicate = match n {
                0 => PREDICATE.to_owned(),
                n => PREDICATE.replace("'nc'", &format!("'nothing {n}'")),
            };
            let text = manifest("").replace("\"rule_id\":\"r\"", &format!("\"rule_id\":\"r{n}\""));
            session = session
                .file(&format!("rules/r{n}/manifest.json"), text)
                .file(&format!("rules/r{n}/predicate.lua"), predicate);
        }
        let mut command = session.command();
        command.args(["rules", "run", "rules"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let events = child.stdin.take();
        let alerts = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut running = Self {
            child,
            events,
            alerts,
            next: 0,
            _session: session,
        };
        running.alert()?;
        Ok(running)
    }

    /// Writes an event, and waits for its alert.
    fn alert(&mut self) -> Result<Duration> {
        self.next += 1;
        let line = format!(
            "{{\"type\":\"process_exec\",\"t\":{},\"process.pid\":{},\"process.name\":\"nc\"}}\n",
            self.next,
            1000 + self.next
        );
        let begun = Instant::now();
        let events = self.events.as_mut().ok_or("no stdin")?;
        events.write_all(line.as_bytes())?;
        let mut alert = String::new();
        self.alerts.read_line(&mut alert)?;
        match alert.contains(&format!("\"seq\":{}", self.next)) {
            true => Ok(begun.elapsed()),
            false => Err(format!("no alert of event {}: {alert}", self.next).into()),
        }
    }

    /// Resident memory in MiB.
    fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        super::many::resident_of(&status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.events = None;
        let _ = self.child.wait();
    }
}

/// From a line that is written to the alert that is read, with one rule.
fn to_alert(effort: Effort, text: &str) -> Result<Row> {
    let mut running = Running::start(1)?;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(12) {
        let native = round_trip(text)?.as_secs_f64();
        let mut took = (0..200)
            .map(|_| running.alert().map(|took| took.as_secs_f64()))
            .collect::<Result<Vec<_>>>()?;
        took.sort_by(f64::total_cmp);
        pairs.push(took[took.len() * 99 / 100], native);
    }
    let took = pairs.what();
    let row = Row::new(
        "matches: a line to its alert, p99",
        time(took),
        "1 MB by serde_json",
        &pairs,
    );
    Ok(row.aims(time(ALERT), took <= ALERT))
}

/// What a process with many rules has more of memory than one with a single rule, each.
fn memory(effort: Effort) -> Result<Row> {
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(4) {
        let alone = Running::start(1)?.resident()?;
        let many = Running::start(RULES)?.resident()?;
        pairs.push((many - alone) / (RULES - 1) as f64, MEMORY);
    }
    let each = pairs.what();
    let value = format!("{each:.2} MiB");
    let row = Row::new("matches: memory of a rule", value, "1 MiB", &pairs);
    Ok(row.aims("1 MiB", each <= MEMORY))
}
