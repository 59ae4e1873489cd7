//! The sections `throttle`, `threshold` and `sequence` of a manifest.

use super::json::Object;
use crate::problem::Problem;

/// The first alert of a key in a period goes out; the others are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// The paths whose values make the key.
    pub by: Vec<String>,
    /// How long a period is.
    pub period_ms: u64,
}

/// An alert from so many matches of a key within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// How many.
    pub count: u64,
    /// How long the window is.
    pub window_ms: u64,
    /// The paths whose values make the key.
    pub by: Vec<String>,
    /// Only different values of this path count.
    pub distinct: Option<String>,
}

/// An alert when functions match one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The paths whose values make the key.
    pub by: Vec<String>,
    /// The functions, in their order.
    pub steps: Vec<String>,
    /// How long the first and the last may be apart.
    pub maxspan_ms: Option<u64>,
    /// A function that ends what is pending.
    pub until: Option<String>,
}

/// Steps that a sequence may have.
const MAX_STEPS: usize = 20;

impl Throttle {
    pub(super) fn read(
        section: &Object<'_>,
        default: Option<u64>,
        out: &mut Vec<Problem>,
    ) -> Option<Self> {
        section.only(&["by", "period_ms"], out);
        Some(Self {
            by: section.strings("by", out),
            period_ms: span(section, "period_ms", default, out)?,
        })
    }
}

impl Threshold {
    pub(super) fn read(
        section: &Object<'_>,
        default: Option<u64>,
        out: &mut Vec<Problem>,
    ) -> Option<Self> {
        section.only(&["count", "window_ms", "by", "distinct"], out);
        if section.get("count").is_none() {
            section.wrong("count", "a whole number of at least 1", out);
        }
        let window_ms = span(section, "window_ms", default, out);
        let count = section.count("count", out)?;
        if count > 100_000 {
            section.refuse("count", "may be 100000 at most", out);
        }
        Some(Self {
            count,
            window_ms: window_ms?,
            by: section.strings("by", out),
            distinct: section.string("distinct", out),
        })
    }
}

impl Sequence {
    pub(super) fn read(
        section: &Object<'_>,
        default: Option<u64>,
        out: &mut Vec<Problem>,
    ) -> Option<Self> {
        section.only(&["by", "steps", "maxspan_ms", "until"], out);
        let steps = section.strings("steps", out);
        if steps.len() < 2 || steps.len() > MAX_STEPS {
            let why = format!(
                "must name 2 to {MAX_STEPS} functions, names {}",
                steps.len()
            );
            section.refuse("steps", &why, out);
        }
        Some(Self {
            by: section.strings("by", out),
            steps,
            maxspan_ms: section.count("maxspan_ms", out).or(default),
            until: section.string("until", out),
        })
    }

    /// The functions that are called for each event: the steps, then `until`.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        self.steps.iter().chain(&self.until).cloned().collect()
    }
}

fn span(
    section: &Object<'_>,
    key: &str,
    default: Option<u64>,
    out: &mut Vec<Problem>,
) -> Option<u64> {
    if section.get(key).is_none() && default.is_none() {
        section.wrong(key, "a number of milliseconds", out);
        return None;
    }
    section.count(key, out).or(default)
}
