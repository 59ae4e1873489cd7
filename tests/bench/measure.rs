//! Measures two things in turns, makes a row of the table from them, and compares rows with their
//! bounds.

use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of a measurement that takes a second.
    pub(crate) rounds: usize,
    /// Whether to repeat less, and to skip measurements that need a build.
    pub(crate) short: bool,
}

impl Effort {
    /// This many in full, a quarter of them in the short form.
    pub(crate) fn of(self, many: usize) -> usize {
        if self.short { many.div_ceil(4) } else { many }
    }
}

/// The times of one thing and its reference, round by round, in the same unit.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    pub(crate) fn push(&mut self, what: f64, reference: f64) {
        self.0.push((what, reference));
    }

    fn ratios(&self) -> Vec<f64> {
        sorted(self.0.iter().map(|(what, reference)| what / reference))
    }

    /// The median of the thing.
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

/// Runs two things in turns, so that a busy machine slows both.
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

/// The time that some work takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    /// The measured value for a person.
    value: String,
    against: &'static str,
    /// The ratios to the reference, in ascending order.
    ratios: Vec<f64>,
    /// The target, and whether it is reached.
    target: Option<(String, bool)>,
}

impl Row {
    /// A ratio. `value` stands beside it.
    pub(crate) fn new(name: &str, value: String, against: &'static str, pairs: &Pairs) -> Self {
        Self {
            name: name.to_owned(),
            value,
            against,
            ratios: pairs.ratios(),
            target: None,
        }
    }

    /// Adds a target.
    pub(crate) fn aims(self, target: impl Into<String>, reached: bool) -> Self {
        let target = Some((target.into(), reached));
        Self { target, ..self }
    }

    /// Adds the target of a ratio at most this high.
    pub(crate) fn at_most(self, ratio: f64) -> Self {
        let reached = self.ratio() <= ratio;
        self.aims(format!("{ratio:.2} x"), reached)
    }

    /// Whether the row is only for information, and not about Kael.
    pub(crate) fn is_record(&self) -> bool {
        self.name.ends_with("by luajit")
    }

    /// The median ratio.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }

    /// The row as text.
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

    /// The head of the table.
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

    /// The row as JSON.
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

    /// Why the row breaks its bound. `bounds` is an object of `{ "ratio": …, "noise": … }` by name.
    /// A row may exceed its bound by the noise, which is a share of it.
    pub(crate) fn broken(&self, bounds: &Value) -> Option<String> {
        let bound = &bounds[&self.name];
        let (Some(ratio), Some(noise)) = (bound["ratio"].as_f64(), bound["noise"].as_f64()) else {
            return Some(format!("{}: bounds.json does not know it", self.name));
        };
        let most = ratio * (1.0 + noise);
        // The least of several rounds is hardly affected by a busy machine.
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

/// A ratio with three significant digits.
fn short(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 10.0 => format!("{ratio:.1}"),
        _ if ratio >= 0.1 => format!("{ratio:.2}"),
        _ => format!("{ratio:.5}"),
    }
}

/// A time for a person.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 => format!("{seconds:.2} s"),
        _ if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.2} µs", seconds * 1e6),
    }
}

/// The geometric mean of ratios.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}
