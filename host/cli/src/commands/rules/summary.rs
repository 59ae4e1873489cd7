//! What a run of rules came to, for a person.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use super::on_match::Counts;
use crate::sanitize::escape_control;
use kael_rules::event::Reader;
use kael_rules::metrics::{RuleCounts, StreamCounts};

/// Names that are shown of those that were counted.
const SHOWN: usize = 20;

/// The lines of a summary.
pub(super) fn text(
    stream: &StreamCounts,
    reader: &Reader<'_>,
    rules: &[(String, RuleCounts)],
    called: Option<&Counts>,
) -> String {
    let bad: u64 = stream.bad.values().sum();
    let mut out = format!("{} events, {bad} bad lines", stream.events);
    if bad > 0 {
        let each = stream
            .bad
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"));
        _ = write!(out, " ({})", each.collect::<Vec<_>>().join(", "));
    }
    out.push('\n');
    if reader.backwards > 0 {
        _ = writeln!(
            out,
            "{} events are older than one before them",
            reader.backwards
        );
    }
    names(&mut out, "values of another type", &reader.wrong_types);
    if let Some(unknown) = &reader.unknown_keys {
        names(&mut out, "keys that the schema lacks", unknown);
    }
    for (rule, counts) in rules {
        _ = write!(
            out,
            "{rule}: {} evaluations, {} matches, {} alerts, {} errors, {} ns each",
            counts.evaluations,
            counts.matches,
            counts.alerts,
            counts.failed(),
            counts.mean()
        );
        for (count, words) in [
            (counts.suppressed, "throttled"),
            (counts.dropped, "dropped"),
            (counts.late, "late"),
            (counts.evicted, "keys too many"),
            (counts.restarts, "restarts"),
            (counts.skipped, "events skipped"),
        ] {
            if count > 0 {
                _ = write!(out, ", {count} {words}");
            }
        }
        out.push_str(if counts.disabled {
            ", switched off\n"
        } else {
            "\n"
        });
    }
    if let Some(counts) = called {
        let (called, failed) = (&counts.called, &counts.failed);
        let (called, failed) = (
            called.load(Ordering::Relaxed),
            failed.load(Ordering::Relaxed),
        );
        _ = writeln!(out, "on_match: {called} calls, {failed} failed");
    }
    out
}

/// The same as one document.
pub(super) fn json(
    stream: &StreamCounts,
    rules: &[(String, RuleCounts)],
    called: Option<&Counts>,
) -> serde_json::Value {
    let rule = |(rule, counts): &(String, RuleCounts)| {
        let counts = serde_json::json!({
            "evaluations": counts.evaluations,
            "matches": counts.matches,
            "alerts": counts.alerts,
            "suppressed": counts.suppressed,
            "dropped": counts.dropped,
            "errors": counts.errors,
            "restarts": counts.restarts,
            "skipped": counts.skipped,
            "late": counts.late,
            "evicted": counts.evicted,
            "mean_ns": counts.mean() as u64,
            "memory_bytes": counts.memory,
            "disabled": counts.disabled,
        });
        (rule.clone(), counts)
    };
    serde_json::json!({
        "events": stream.events,
        "bad_lines": stream.bad,
        "rules": rules.iter().map(rule).collect::<serde_json::Map<_, _>>(),
        "on_match": called.map(|counts| serde_json::json!({
            "calls": counts.called.load(Ordering::Relaxed),
            "failed": counts.failed.load(Ordering::Relaxed),
        })),
    })
}

fn names(out: &mut String, what: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let shown = all.iter().take(SHOWN);
    let shown = shown.map(|(name, count)| format!("{} {count}", escape_control(name)));
    let more = match all.len().checked_sub(SHOWN) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    _ = writeln!(
        out,
        "{what}: {}{more}",
        shown.collect::<Vec<_>>().join(", ")
    );
}
