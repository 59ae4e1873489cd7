//! The calls of a run over its time, and what each action took in all.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::html::{duration, short, text};
use super::scale::Scale;
use kael_engine::failure::ErrorKind;
use kael_engine::gate::Record;

/// Calls that are drawn, the first of all.
const DRAWN: usize = 150;

const WIDTH: f64 = 760.0;
/// What is left for the names, and for the durations.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 70.0;
const ROW: f64 = 20.0;

/// All calls of a run that began then and took so long.
pub(super) fn section(calls: &[Record], began: Instant, wall: Duration) -> String {
    let mut ordered: Vec<&Record> = calls.iter().collect();
    ordered.sort_by_key(|call| call.started);
    let mut out = String::from("<section><h2>Calls</h2><div class=\"card long\">");
    out.push_str(&drawn(&ordered[..ordered.len().min(DRAWN)], began, wall));
    if ordered.len() > DRAWN {
        _ = write!(
            out,
            "<p class=\"note\">The first {DRAWN} of {} calls.</p>",
            ordered.len()
        );
    }
    out.push_str("</div>");
    out.push_str(&sums(calls));
    out.push_str("</section>");
    out
}

fn drawn(calls: &[&Record], began: Instant, wall: Duration) -> String {
    let height = 26.0 + ROW * calls.len() as f64;
    let scale = Scale::over([0.0, wall.as_secs_f64().max(1e-6)].into_iter(), true, 5.0);
    let x = |at: Duration| LEFT + scale.place(at.as_secs_f64()) * (WIDTH - LEFT - RIGHT);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"calls over the time of the run\">"
    );
    for tick in scale.ticks() {
        let at = x(Duration::try_from_secs_f64(tick).unwrap_or_default());
        _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"18\" y2=\"{height}\"/>\
             <text x=\"{at:.1}\" y=\"12\" text-anchor=\"middle\">{}</text>",
            duration(Duration::try_from_secs_f64(tick).unwrap_or_default())
        );
    }
    for (row, call) in calls.iter().enumerate() {
        let top = 22.0 + ROW * row as f64;
        let from = call.started.saturating_duration_since(began);
        let (left, right) = (x(from), x(from + call.duration));
        let outcome = call.failed.map_or("ok", ErrorKind::name);
        let class = if call.failed.is_some() {
            "failed"
        } else {
            "ok"
        };
        _ = write!(
            out,
            "<g><title>{}</title><text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            text(&format!(
                "{}: {outcome}, {} after {}{}",
                call.name,
                duration(call.duration),
                duration(from),
                decision(call)
            )),
            LEFT - 10.0,
            top + 12.0,
            short(&call.name, 26),
            top + 2.0,
            (right - left).max(2.0),
            ROW - 6.0,
            right.max(left + 2.0) + 6.0,
            top + 12.0,
            duration(call.duration)
        );
    }
    out.push_str("</svg>");
    out
}

/// What the policy said of a call.
fn decision(call: &Record) -> String {
    let decision = call.decision.as_ref();
    decision.map_or_else(String::new, |decision| {
        format!("; {} by {}", decision.verdict.word(), decision.source)
    })
}

#[derive(Default)]
struct Sum {
    calls: u32,
    failed: u32,
    total: Duration,
    longest: Duration,
}

fn sums(calls: &[Record]) -> String {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for call in calls {
        let sum = sums.entry(&call.name).or_default();
        sum.calls += 1;
        sum.failed += u32::from(call.failed.is_some());
        sum.total += call.duration;
        sum.longest = sum.longest.max(call.duration);
    }
    let mut out = String::from(
        "<div class=\"card scroll long\"><table><thead><tr><th>Action</th><th class=\"right\">Calls</th>\
         <th class=\"right\">Failed</th><th class=\"right\">In all</th><th class=\"right\">Longest</th></tr></thead><tbody>",
    );
    // A hostile script can call as many names as it has calls.
    let more = sums.len().saturating_sub(DRAWN);
    for (name, sum) in sums.into_iter().take(DRAWN) {
        _ = write!(
            out,
            "<tr><td>{}</td><td class=\"right\">{}</td><td class=\"right\">{}</td><td class=\"right\">{}</td><td class=\"right\">{}</td></tr>",
            text(name),
            sum.calls,
            sum.failed,
            duration(sum.total),
            duration(sum.longest)
        );
    }
    out.push_str("</tbody></table>");
    if more > 0 {
        _ = write!(out, "<p class=\"note\">And {more} other names.</p>");
    }
    out.push_str("</div>");
    out
}
