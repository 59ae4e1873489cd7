//! What was counted, by rule and for the stream, and the same as text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Counts of one rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleCounts {
    /// Events that its predicate was asked about.
    pub evaluations: u64,
    /// Events that matched.
    pub matches: u64,
    /// Alerts that went out.
    pub alerts: u64,
    /// Alerts that its throttle counted.
    pub suppressed: u64,
    /// Alerts beyond what a minute may have.
    pub dropped: u64,
    /// Evaluations that failed, by kind: `error`, `capture`, `limit`, `trap`.
    pub errors: BTreeMap<&'static str, u64>,
    /// Times that its instance was made anew.
    pub restarts: u64,
    /// Computing time.
    pub time: Duration,
    /// Memory of its instance.
    pub memory: u64,
    /// Times that a field was asked for that the schema lacks.
    pub unknown_fields: u64,
    /// Events that it was not asked about, as it was switched off.
    pub skipped: u64,
    /// Whether it is switched off now.
    pub disabled: bool,
    /// Matches after the end of their window, and keys that were too many.
    pub late: u64,
    /// As above.
    pub evicted: u64,
}

impl RuleCounts {
    /// All errors.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The mean time of an evaluation in nanoseconds.
    #[must_use]
    pub fn mean(&self) -> u128 {
        self.time.as_nanos() / u128::from(self.evaluations.max(1))
    }
}

/// Counts of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamCounts {
    /// Lines that were events.
    pub events: u64,
    /// Lines that were not, by reason.
    pub bad: BTreeMap<&'static str, u64>,
}

/// The text for Prometheus. A rule is a label, so that a new rule is no new name.
#[must_use]
pub fn text(stream: &StreamCounts, rules: &[(String, RuleCounts)]) -> String {
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        _ = write!(
            out,
            "# HELP kael_rules_{name} {help}\n# TYPE kael_rules_{name} {kind}\n"
        );
    };
    head(
        &mut out,
        "events_total",
        "counter",
        "Lines that were events.",
    );
    _ = writeln!(out, "kael_rules_events_total {}", stream.events);
    head(
        &mut out,
        "bad_lines_total",
        "counter",
        "Lines that were no events.",
    );
    for (reason, count) in &stream.bad {
        _ = writeln!(
            out,
            "kael_rules_bad_lines_total{{reason=\"{reason}\"}} {count}"
        );
    }
    type Value = fn(&RuleCounts) -> f64;
    let plain: [(&str, &str, &str, Value); 9] = [
        (
            "evaluations_total",
            "counter",
            "Evaluations of a predicate.",
            |c| c.evaluations as f64,
        ),
        ("matches_total", "counter", "Events that matched.", |c| {
            c.matches as f64
        }),
        ("alerts_total", "counter", "Alerts that went out.", |c| {
            c.alerts as f64
        }),
        (
            "suppressed_total",
            "counter",
            "Alerts that a throttle counted.",
            |c| c.suppressed as f64,
        ),
        (
            "dropped_total",
            "counter",
            "Alerts beyond the limit of a minute.",
            |c| c.dropped as f64,
        ),
        (
            "restarts_total",
            "counter",
            "Instances that were made anew.",
            |c| c.restarts as f64,
        ),
        ("seconds_total", "counter", "Computing time.", |c| {
            c.time.as_secs_f64()
        }),
        ("memory_bytes", "gauge", "Memory of the instance.", |c| {
            c.memory as f64
        }),
        (
            "disabled",
            "gauge",
            "Whether the rule is switched off.",
            |c| f64::from(u8::from(c.disabled)),
        ),
    ];
    for (name, kind, help, value) in plain {
        head(&mut out, name, kind, help);
        for (rule, counts) in rules {
            _ = writeln!(
                out,
                "kael_rules_{name}{{rule=\"{rule}\"}} {}",
                value(counts)
            );
        }
    }
    head(
        &mut out,
        "errors_total",
        "counter",
        "Evaluations that failed.",
    );
    for (rule, counts) in rules {
        for (kind, count) in &counts.errors {
            _ = writeln!(
                out,
                "kael_rules_errors_total{{rule=\"{rule}\",kind=\"{kind}\"}} {count}"
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_label() {
        let stream = StreamCounts {
            events: 3,
            bad: BTreeMap::from([("not_json", 1)]),
        };
        let counts = RuleCounts {
            evaluations: 3,
            errors: BTreeMap::from([("limit", 2)]),
            ..RuleCounts::default()
        };
        let text = text(&stream, &[("a-1".to_owned(), counts)]);
        for line in [
            "kael_rules_events_total 3",
            "kael_rules_bad_lines_total{reason=\"not_json\"} 1",
            "# TYPE kael_rules_memory_bytes gauge",
            "kael_rules_evaluations_total{rule=\"a-1\"} 3",
            "kael_rules_errors_total{rule=\"a-1\",kind=\"limit\"} 2",
        ] {
            assert!(text.lines().any(|has| has == line), "{line}\n{text}");
        }
    }
}
