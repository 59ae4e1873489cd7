//! `run --trace FILE`: writes a run in Chrome's trace format, for Perfetto and similar programs.
//!
//! A call that runs alone is in the sandbox's lane, inside the script. Overlapping calls have lanes
//! of their own, below a span that covers them all.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use kael_engine::activity::{ActivityLog, Retention, Span, SpanKind};
use kael_engine::private_file;

/// The lane of the sandbox, the first lane for overlapping calls, and the first for sources.
const SANDBOX: usize = 0;
const BESIDE: usize = 1;
const SOURCES: usize = 100_000;

/// The file for a trace.
pub(super) struct Trace {
    file: File,
    origin: Instant,
    pub(super) activity: ActivityLog,
}

impl Trace {
    /// Creates the file with mode 0600.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: private_file::create(path)?,
            origin: Instant::now(),
            activity: ActivityLog::new(Retention::Everything),
        })
    }

    /// Writes what has happened.
    pub(super) fn write(self) -> io::Result<()> {
        let events = events(&self.activity.all(), self.origin, Instant::now());
        let mut out = BufWriter::new(self.file);
        out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
        for (index, event) in events.into_iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut out, &event)?;
        }
        out.write_all(b"]}\n")?;
        out.flush()
    }
}

/// A span in microseconds.
#[derive(Clone, Copy)]
struct Place {
    begin: f64,
    end: f64,
}

fn events(spans: &[Span], origin: Instant, now: Instant) -> Vec<Value> {
    let at = |moment: Instant| {
        let nanos = moment.saturating_duration_since(origin).as_nanos();
        nanos as f64 / 1e3
    };
    let place = |span: &Span| Place {
        begin: at(span.begin),
        end: at(span.end.unwrap_or(now)),
    };
    let mut placed: Vec<(&Span, Place)> = spans.iter().map(|span| (span, place(span))).collect();
    placed.sort_by(|a, b| a.1.begin.total_cmp(&b.1.begin));
    let (mut out, mut lanes) = (Vec::new(), vec![(SANDBOX, "sandbox".to_owned())]);
    let (calls, others): (Vec<_>, Vec<_>) = placed
        .into_iter()
        .partition(|(span, _)| span.kind == SpanKind::Action);
    let (sources, own): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|(span, _)| span.kind == SpanKind::Source);
    out.extend(own.iter().map(|(span, place)| event(span, *place, SANDBOX)));
    for group in overlapping(&calls) {
        if let [(span, place)] = group {
            out.push(event(span, *place, SANDBOX));
            continue;
        }
        let whole = Place {
            begin: group[0].1.begin,
            end: group.iter().map(|(_, place)| place.end).fold(0.0, f64::max),
        };
        out.push(complete(
            "parallel",
            "parallel",
            whole,
            SANDBOX,
            json!({ "calls": group.len() }),
        ));
        lay(group, BESIDE, "parallel", &mut lanes, &mut out);
    }
    lay(&sources, SOURCES, "sources", &mut lanes, &mut out);
    for (lane, name) in lanes {
        out.push(json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": lane, "args": { "name": name } }));
        out.push(json!({ "name": "thread_sort_index", "ph": "M", "pid": 1, "tid": lane, "args": { "sort_index": lane } }));
    }
    out.push(
        json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": "kael-host" } }),
    );
    out
}

/// Groups of overlapping spans, in the order in which they began.
fn overlapping<'a, 'b>(
    calls: &'a [(&'b Span, Place)],
) -> impl Iterator<Item = &'a [(&'b Span, Place)]> {
    let mut end = f64::NEG_INFINITY;
    let mut cuts = Vec::new();
    for (index, (_, place)) in calls.iter().enumerate() {
        if place.begin >= end {
            cuts.push(index);
        }
        end = end.max(place.end);
    }
    cuts.push(calls.len());
    let pairs: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    pairs.into_iter().map(|range| &calls[range])
}

/// Puts each span into the first free lane.
fn lay(
    spans: &[(&Span, Place)],
    first: usize,
    name: &str,
    lanes: &mut Vec<(usize, String)>,
    out: &mut Vec<Value>,
) {
    let mut busy: Vec<f64> = Vec::new();
    for (span, place) in spans {
        let free = busy.iter().position(|end| *end <= place.begin);
        let index = free.unwrap_or_else(|| {
            busy.push(0.0);
            busy.len() - 1
        });
        busy[index] = place.end;
        let lane = first + index;
        if lanes.iter().all(|(known, _)| *known != lane) {
            lanes.push((lane, format!("{name} {}", index + 1)));
        }
        out.push(event(span, *place, lane));
    }
}

fn event(span: &Span, place: Place, lane: usize) -> Value {
    let category = match span.kind {
        SpanKind::Repo => "repo",
        SpanKind::Script => "sandbox",
        SpanKind::Action => "action",
        SpanKind::Source => "source",
    };
    let outcome = match (span.outcome, span.end) {
        (Some(outcome), _) => Some(outcome),
        (None, None) => Some("unfinished"),
        (None, Some(_)) => None,
    };
    let mut args = match &span.run {
        Some(run) => json!({
            "outcome": outcome,
            "run": run.id.to_string(),
            "started": run.timestamp(span.begin),
            "tenant": run.tenant.as_str(),
        }),
        None => json!({ "outcome": outcome }),
    };
    if let Some(decision) = &span.decision {
        args["decision"] = decision.as_str().into();
    }
    complete(&span.name, category, place, lane, args)
}

fn complete(name: &str, category: &str, place: Place, lane: usize, args: Value) -> Value {
    json!({
        "name": name, "cat": category, "ph": "X", "pid": 1, "tid": lane,
        "ts": place.begin, "dur": place.end - place.begin, "args": args,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_overlaps_lies_side_by_side_below_a_span_that_holds_it() {
        let origin = Instant::now();
        let at = |ms: u64| origin + Duration::from_millis(ms);
        let span = |kind, name: &str, begin, end: u64| Span {
            kind,
            name: name.to_owned(),
            run: None,
            begin: at(begin),
            end: (end > 0).then(|| at(end)),
            outcome: Some("ok"),
            decision: None,
            said: None,
        };
        let spans = [
            span(SpanKind::Action, "alone", 10, 20),
            span(SpanKind::Action, "left", 30, 60),
            span(SpanKind::Action, "right", 31, 40),
            span(SpanKind::Action, "again", 41, 0),
            span(SpanKind::Script, "script.lua", 5, 90),
        ];
        let events = events(&spans, origin, at(90));
        let lane = |name: &str| {
            let event = events.iter().find(|event| event["name"] == name);
            let event = event.unwrap_or_else(|| panic!("{name}"));
            (
                event["tid"].as_u64(),
                event["ts"].as_f64(),
                event["dur"].as_f64(),
            )
        };
        assert_eq!(lane("script.lua"), (Some(0), Some(5000.0), Some(85000.0)));
        assert_eq!(lane("alone"), (Some(0), Some(10000.0), Some(10000.0)));
        assert_eq!(lane("parallel"), (Some(0), Some(30000.0), Some(60000.0)));
        assert_eq!(lane("left"), (Some(1), Some(30000.0), Some(30000.0)));
        assert_eq!(lane("right").0, Some(2));
        assert_eq!(lane("again"), (Some(2), Some(41000.0), Some(49000.0)));
    }
}
