//! `run --dry-run`, `--answers` and `--record`: where answers come from and go to, and how a dry run looks.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::args::Run;
use super::drive::{Driven, drive};
use super::progress::Beside;
use super::text::visible;
use crate::app::{self, Settings};
use crate::dispatch::answers::{Answers, Planned, Recorder, Rehearsal};
use crate::units::ByteSize;

/// A file of answers may be this large.
const MAX_ANSWERS: u64 = 256 << 20;

/// The calls of a dry run, for the report.
pub(super) type Calls = Arc<Mutex<Vec<Value>>>;

/// Puts what was asked for into the settings. For `--json` a dry run collects its calls in `calls`.
pub(super) fn prepare(run: &Run, calls: &Calls, settings: &mut Settings) -> Result<(), String> {
    if let Some(path) = &run.record {
        let recorder = Recorder::create(path).map_err(|problem| {
            format!(
                "the answers cannot be written to `{}`: {problem}",
                path.display()
            )
        })?;
        settings.recorder = Some(Arc::new(recorder));
    }
    if run.dry_run {
        let answers = match &run.answers {
            Some(path) => read(path, settings)
                .map_err(|why| format!("the answers in `{}`: {why}", path.display()))?,
            None => Answers::default(),
        };
        let (as_json, collected) = (run.json, calls.clone());
        let tell = move |planned: &Planned| {
            if as_json {
                let mut calls = collected.lock().unwrap_or_else(PoisonError::into_inner);
                calls.push(document(planned));
            } else {
                // Where the reader of stderr has left there is nobody to tell.
                Beside(io::stderr())
                    .write_all(text(planned).as_bytes())
                    .ok();
            }
        };
        settings.rehearsal = Some(Arc::new(Rehearsal::new(answers, tell)));
    }
    Ok(())
}

fn read(path: &Path, settings: &Settings) -> Result<Answers, String> {
    let file = std::fs::File::open(path).map_err(|problem| problem.to_string())?;
    let mut text = String::new();
    file.take(MAX_ANSWERS + 1)
        .read_to_string(&mut text)
        .map_err(|problem| problem.to_string())?;
    if text.len() as u64 > MAX_ANSWERS {
        return Err(format!("more than {}", ByteSize::new(MAX_ANSWERS)));
    }
    if path.extension().is_some_and(|extension| extension == "lua") {
        let name = path.display().to_string();
        text = match drive(app::evaluate(&name, text, &settings.limits)) {
            Ok(Driven::Done(done)) => done?,
            Ok(Driven::Signal(number)) => return Err(format!("ended by signal {number}")),
            Err(problem) => return Err(problem.to_string()),
        };
    }
    Answers::parse(&text)
}

fn document(planned: &Planned) -> Value {
    let value = |text: &str| crate::json::parse(text.as_bytes()).unwrap_or(Value::Null);
    json!({
        "action": planned.action,
        "params": value(&planned.params),
        "command": planned.command,
        "note": planned.note,
        "env": planned.env,
        "answer_from": planned.from.words(),
        "answer": planned.answer.as_ref().ok().map(|text| value(text)),
        "error": planned.answer.as_ref().err().map(|error| error.message.clone()),
    })
}

fn text(planned: &Planned) -> String {
    let words: Vec<String> = planned
        .command
        .iter()
        .map(|word| shell_word(word))
        .collect();
    let answer = match &planned.answer {
        Ok(text) => cut(text),
        Err(error) => format!("error: {}", error.message),
    };
    let mut rows = vec![
        ("params", cut(&planned.params)),
        ("command", words.join(" ")),
    ];
    if let Some(note) = &planned.note {
        rows.push(("note", note.clone()));
    }
    rows.push(("env", planned.env.join(" ")));
    rows.push(("answer", format!("{answer} ({})", planned.from.words())));
    let mut out = format!("dry run: {}\n", visible(&planned.action));
    for (label, value) in rows {
        out += &format!("  {label:<8} {}\n", visible(&value));
    }
    out
}

/// Enough of a document to know it.
fn cut(text: &str) -> String {
    match text.char_indices().nth(2000) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}... ({})", &text[..at], ByteSize::new(text.len() as u64)),
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
