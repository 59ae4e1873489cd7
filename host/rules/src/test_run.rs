//! Runs the tests of a package: files of events that say what must alert.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kael_engine::runtime::Runtime;
use serde_json::Value;

use crate::alert::Alert;
use crate::engine::{Engine, Options};
use crate::event::{Event, Lines, Reader, Source};
use crate::package::Package;
use crate::problem::Problem;
use crate::schema::Schema;

/// Events that are handed over at once.
const BATCH: usize = 256;

/// A line whose outcome is not what the test says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The number of the line.
    pub line: u64,
    /// What was expected, and what came.
    pub message: String,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFile {
    /// The rule that it is of.
    pub rule_id: String,
    /// The file.
    pub file: String,
    /// Its events.
    pub events: usize,
    /// Lines with another outcome; none is success.
    pub mismatches: Vec<Mismatch>,
}

/// The test files of a package, sorted.
#[must_use]
pub fn files(package: &Package) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(package.folder.join("tests")) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    files
}

/// Runs all test files of a package, each with a fresh instance.
///
/// # Errors
/// Why the package cannot be loaded, or a file not be read.
pub fn run(
    runtime: &Runtime,
    schema: &Arc<Schema>,
    package: &Package,
    options: &Options,
) -> Result<Vec<TestFile>, Vec<Problem>> {
    let run_file = |path: PathBuf| {
        let ran = one(runtime, schema, package, options, path)?;
        Ok(ran.file)
    };
    files(package).into_iter().map(run_file).collect()
}

/// The same with the predicates of a package in both languages, which must say the same of every
/// line: whether it alerts, and with which captures.
///
/// # Errors
/// As above.
pub fn both(
    runtime: &Runtime,
    schema: &Arc<Schema>,
    package: &Package,
    options: &Options,
) -> Result<Vec<TestFile>, Vec<Problem>> {
    let Some(other) = package.in_other_language() else {
        return run(runtime, schema, package, options);
    };
    let compare_file = |path: PathBuf| {
        let one_ran = one(runtime, schema, package, options, path.clone())?;
        let other_ran = one(runtime, schema, &other, options, path)?;
        let (first, second) = (package.language.name(), other.language.name());
        let mut file = one_ran.file;
        for line in &one_ran.lines {
            let said = |alerts: &[Alert]| match alerts.iter().find(|alert| alert.seq == *line) {
                None => ("no alert".to_owned(), None),
                Some(alert) => match &alert.captures {
                    None => ("an alert".to_owned(), None),
                    Some(text) => {
                        let captures: Option<Value> = serde_json::from_str(text).ok();
                        (format!("an alert with {text}"), captures)
                    }
                },
            };
            let (one, another) = (said(&one_ran.alerts), said(&other_ran.alerts));
            let same = match (&one.1, &another.1) {
                (None, None) => one.0 == another.0,
                (one, another) => one == another,
            };
            if !same {
                let message = format!("{first} says {}, {second} says {}", one.0, another.0);
                file.mismatches.push(Mismatch {
                    line: *line,
                    message,
                });
            }
        }
        // Where both are wrong, they are so in the same way.
        if file.mismatches.is_empty() {
            file.mismatches = other_ran.file.mismatches;
        }
        file.mismatches.sort_by_key(|mismatch| mismatch.line);
        Ok(file)
    };
    files(package).into_iter().map(compare_file).collect()
}

/// One file that was run.
struct RanFile {
    file: TestFile,
    alerts: Vec<Alert>,
    /// The numbers of its lines that are events.
    lines: Vec<u64>,
}

fn one(
    runtime: &Runtime,
    schema: &Arc<Schema>,
    package: &Package,
    options: &Options,
    path: PathBuf,
) -> Result<RanFile, Vec<Problem>> {
    let file = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        vec![Problem::error(
            file.clone(),
            format!("cannot be read: {error}"),
        )]
    };
    let fresh = Options {
        state: None,
        ..options.clone()
    };
    let mut engine = Engine::load(runtime, schema, vec![package.clone()], fresh)?;
    let mut lines = Lines::open(&Source::File(path), false).map_err(unreadable)?;
    let mut reader = Reader::new(schema, false);
    let (mut expected, mut mismatches) = (BTreeMap::new(), Vec::new());
    let (mut alerts, mut batch, mut events) = (Vec::new(), Vec::<Event>::new(), 0);
    let mut seq = 0;
    while let Some(line) = lines.next(&mut seq).map_err(unreadable)? {
        match reader.event(line.seq, &line.bytes) {
            Ok(event) => {
                events += 1;
                expected.insert(event.seq, event.expect.clone());
                batch.push(event);
            }
            Err(bad) => mismatches.push(Mismatch {
                line: line.number,
                message: format!("it is no event: {}", bad.message),
            }),
        }
        if batch.len() == BATCH {
            alerts.extend(engine.feed(std::mem::take(&mut batch)));
        }
    }
    alerts.extend(engine.feed(batch));
    alerts.extend(engine.flush());
    compare(&expected, &alerts, &mut mismatches);
    mismatches.sort_by_key(|mismatch| mismatch.line);
    for (rule, counts) in engine.counts() {
        if counts.failed() > 0 && mismatches.is_empty() {
            mismatches.push(Mismatch {
                line: 0,
                message: format!("{rule} failed {} times", counts.failed()),
            });
        }
    }
    Ok(RanFile {
        file: TestFile {
            rule_id: package.manifest.rule_id.clone(),
            file,
            events,
            mismatches,
        },
        alerts,
        lines: expected.into_keys().collect(),
    })
}

fn compare(
    expected: &BTreeMap<u64, Option<Value>>,
    alerts: &[Alert],
    mismatches: &mut Vec<Mismatch>,
) {
    for (line, expect) in expected {
        let alert = alerts.iter().find(|alert| alert.seq == *line);
        let message = match (expect, alert) {
            (None | Some(Value::Bool(false)), None) => continue,
            (None | Some(Value::Bool(false)), Some(alert)) => match &alert.captures {
                Some(captures) => format!("expected no alert, got one with {captures}"),
                None => "expected no alert, got one".to_owned(),
            },
            (Some(Value::Bool(true)), Some(_)) => continue,
            (Some(Value::Bool(true)), None) => "expected an alert, got none".to_owned(),
            (Some(wanted @ Value::Object(_)), None) => {
                format!("expected an alert with {wanted}, got none")
            }
            (
                Some(wanted @ Value::Object(_)),
                Some(Alert {
                    capture_error: Some(why),
                    ..
                }),
            ) => {
                format!("expected at least {wanted}, and there are no captures: {why}")
            }
            (Some(wanted @ Value::Object(_)), Some(alert)) => {
                let captures = alert.captures.as_deref().unwrap_or("{}");
                let given: Value = serde_json::from_str(captures).unwrap_or_default();
                if has(&given, wanted) {
                    continue;
                }
                format!("expected at least {wanted}, got {captures}")
            }
            (Some(_), _) => "`_expect` must be true, false or an object".to_owned(),
        };
        mismatches.push(Mismatch {
            line: *line,
            message,
        });
    }
}

/// Whether a value has at least what is wanted.
fn has(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| given.get(key).is_some_and(|given| has(given, wanted))),
        (given, wanted) => given == wanted,
    }
}
