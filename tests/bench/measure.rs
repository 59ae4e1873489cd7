//! Two things done in turns, what came of them as a row of the table, and the bounds that rows are held to.

use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of what takes a second.
    pub(crate) rounds: usize,
    /// A short form: less of what is repeated, nothing that has to be built.
    pub(crate) short: bool,
}

impl Effort {
    /// So many in full, a quarter of them in the short form.
    pub(crate) fn of(self, many: usize) -> usize {
        if self.short { many.div_ceil(4) } else { many }
    }
}

/// What one thing and its reference took, round by round, in the same unit.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    pub(crate) fn push(&mut self, what: f64, reference: f64) {
        self.0.push((what, reference));
    }

    fn ratios(&self) -> Vec<f64> {
        sorted(self.0.iter().map(|(what, reference)| what / reference))
    }

    /// The median of what was measured.
    pub(crate) fn what(&self) -> f64 {
        median(&sorted(self.0.iter().map(|pair| pair.0)))
    }

    /// The median of the reference.
    pub(crate) fn reference(&self) -> f64 {
        median(&sorted(self.0.iter().map(|pair| pair.1)))
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// Does two things in turns, so that a busy machine is busy for both.
pub(crate) fn in_turns(
    rounds: usize,
    mut what: impl FnMut() -> Result<Duration>,
    mut reference: impl FnMut() -> Result<Duration>,
) -> Result<Pairs> {
    let mut pairs = Pairs::default();
    for _ in 0..rounds {
        let second = reference()?.as_secs_f64();
        pairs.push(what()?.as_secs_f64(), second);
    }
    Ok(pairs)
}

/// How long something takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    /// What was measured, as a person reads it.
    value: String,
    against: &'static str,
    /// To what it was measured against, in ascending order.
    ratios: Vec<f64>,
    /// What is aimed at, and whether that is reached.
    target: Option<(String, bool)>,
}

impl Row {
    /// A ratio; `value` is told beside it.
    pub(crate) fn new(name: &str, value: String, against: &'static str, pairs: &Pairs) -> Self {
        Self {
            name: name.to_owned(),
            value,
            against,
            ratios: pairs.ratios(),
            target: None,
        }
    }

    /// What is aimed at.
    pub(crate) fn aims(self, target: impl Into<String>, reached: bool) -> Self {
        let target = Some((target.into(), reached));
        Self { target, ..self }
    }

    /// Aims at a ratio of at most so much.
    pub(crate) fn at_most(self, ratio: f64) -> Self {
        let reached = self.ratio() <= ratio;
        self.aims(format!("{ratio:.2} x"), reached)
    }

    /// Whether it says nothing of Kael.
    pub(crate) fn is_record(&self) -> bool {
        self.name.ends_with("by luajit")
    }

    /// The median.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }

    /// The line, for a person.
    pub(crate) fn line(&self) -> String {
        let (least, most) = (self.ratios[0], self.ratios[self.ratios.len() - 1]);
        let ratio = format!(
            "{} ({} to {})",
            short(self.ratio()),
            short(least),
            short(most)
        );
        let target = self.target.as_ref().map_or_else(String::new, |target| {
            let (target, reached) = target;
            format!("{target}{}", if *reached { "" } else { ": missed" })
        });
        format!(
            "| {:<40} | {:<24} | {ratio:<27} | {:<20} | {target:<26} |",
            self.name, self.value, self.against
        )
    }

    /// The titles of the lines.
    pub(crate) fn head() -> String {
        format!(
            "| {:<40} | {:<24} | {:<27} | {:<20} | {:<26} |\n| {} | {} | {} | {} | {} |",
            "what",
            "measured",
            "ratio (least to most)",
            "against",
            "target",
            "-".repeat(40),
            "-".repeat(24),
            "-".repeat(27),
            "-".repeat(20),
            "-".repeat(26)
        )
    }

    /// The line, for a program.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value,
            "against": self.against,
            "ratio": self.ratio(),
            "ratios": self.ratios,
            "target": self.target.as_ref().map(|(target, _)| target),
            "reached": self.target.as_ref().map(|(_, reached)| reached),
        })
    }

    /// What is wrong with the row by the bounds: an object of `{ "ratio": …, "noise": … }` by the rows' names. A row may
    /// be worse than its bound by the noise, a share of it, that machines are known to make.
    pub(crate) fn broken(&self, bounds: &Value) -> Option<String> {
        let bound = &bounds[&self.name];
        let (Some(ratio), Some(noise)) = (bound["ratio"].as_f64(), bound["noise"].as_f64()) else {
            return Some(format!("{}: bounds.json does not know it", self.name));
        };
        let most = ratio * (1.0 + noise);
        // The least of a few rounds is what a busy machine leaves as it is.
        (self.ratios[0] > most).then(|| {
            format!(
                "{}: {} x {}, and at most {} is allowed ({} and {:.0} % of noise)",
                self.name,
                short(self.ratios[0]),
                self.against,
                short(most),
                short(ratio),
                noise * 100.0
            )
        })
    }
}

/// A ratio with three digits that say something.
fn short(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 10.0 => format!("{ratio:.1}"),
        _ if ratio >= 0.1 => format!("{ratio:.2}"),
        _ => format!("{ratio:.5}"),
    }
}

/// A time as a person reads it.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 => format!("{seconds:.2} s"),
        _ if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.2} µs", seconds * 1e6),
    }
}

/// The geometric mean of some ratios.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}
