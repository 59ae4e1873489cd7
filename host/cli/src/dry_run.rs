//! `run --dry-run`, `--answers` and `--record`: where answers come from and go to, and how a dry run looks.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use super::args::Run;
use super::progress::ProgressWriter;
use super::runtime::{Driven, block_with_signals};
use super::sanitize::escape_control;
use super::settings::Settings;
use super::stderr::Stderr;
use kael_engine::gate::answers::{Answers, DryRun, Planned, Recorder};
use kael_engine::units::ByteSize;

/// A file of answers may be this large.
const MAX_ANSWERS: u64 = 256 << 20;

/// Bytes that the calls in a report of a dry run take.
const MAX_TOLD: usize = 64 << 20;
/// Bytes that a call takes beside its texts.
const CALL: usize = 300;
/// Characters of a document, and of a command line, that are shown.
const SHOWN: usize = 2000;
const SHOWN_COMMAND: usize = 20_000;

/// The calls of a dry run, for the report.
pub(super) type Calls = Arc<Mutex<Told>>;

/// What was told of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) calls: Vec<Call>,
    /// Calls for which there was no room.
    pub(super) left_out: u64,
    bytes: usize,
}

/// One call of a dry run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Call {
    action: String,
    answer: Option<Box<RawValue>>,
    answer_from: &'static str,
    command: Vec<String>,
    env: Vec<String>,
    error: Option<String>,
    note: Option<String>,
    params: Option<Box<RawValue>>,
}

/// Puts what was asked for into the settings. For `--json` a dry run collects its calls in `calls`.
pub(super) fn prepare(run: &Run, calls: &Calls, settings: &mut Settings) -> Result<(), String> {
    if let Some(path) = &run.record {
        let recorder = Recorder::create(path).map_err(|error| {
            format!(
                "the answers cannot be written to `{}`: {error}",
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
                let mut told = collected.lock().unwrap_or_else(PoisonError::into_inner);
                told.add(planned);
            } else {
                // It never fails: what finds no reader is left out.
                ProgressWriter(Stderr)
                    .write_all(text(planned).as_bytes())
                    .ok();
            }
        };
        settings.dry_run = Some(Arc::new(DryRun::new(answers, tell)));
    }
    Ok(())
}

fn read(path: &Path, settings: &Settings) -> Result<Answers, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(MAX_ANSWERS + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_ANSWERS {
        return Err(format!("more than {}", ByteSize::new(MAX_ANSWERS)));
    }
    if path.extension().is_some_and(|extension| extension == "lua") {
        let name = path.display().to_string();
        let evaluating = async {
            let runtime = settings.runtime(1).map_err(|error| error.to_string())?;
            let evaluated = runtime.evaluate(&name, text, &settings.limits).await;
            evaluated.map_err(|error| error.to_string())
        };
        text = match block_with_signals(evaluating) {
            Ok(Driven::Done(done)) => done?,
            Ok(Driven::Signal(number)) => return Err(format!("ended by signal {number}")),
            Err(error) => return Err(error.to_string()),
        };
    }
    Answers::parse(&text).map_err(|error| error.to_string())
}

impl Told {
    fn add(&mut self, planned: &Planned) {
        let (answer, error) = match &planned.answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(&error.message)),
        };
        let texts = [answer, error, planned.note.as_ref()];
        let texts = texts.into_iter().flatten().map(String::len);
        let words = planned.command.iter().chain(&planned.env);
        // Each text has a place in memory, too.
        let words = words.map(|word| word.len() + size_of::<String>());
        let bytes = CALL
            + planned.action.len()
            + planned.params.len()
            + texts.sum::<usize>()
            + words.sum::<usize>();
        // Later ones that are smaller are left out, too: the report is a beginning, without gaps.
        if self.left_out > 0 || self.bytes + bytes > MAX_TOLD {
            self.left_out += 1;
            return;
        }
        self.bytes += bytes;
        // They have passed the gate, and so are JSON.
        let document = |text: &String| RawValue::from_string(text.clone()).ok();
        self.calls.push(Call {
            action: planned.action.clone(),
            answer: answer.and_then(document),
            answer_from: planned.from.words(),
            command: planned.command.clone(),
            env: planned.env.clone(),
            error: error.cloned(),
            note: planned.note.clone(),
            params: document(&planned.params),
        });
    }
}

fn text(planned: &Planned) -> String {
    let words: Vec<String> = planned
        .command
        .iter()
        .map(|word| shell_word(word))
        .collect();
    let answer = match &planned.answer {
        Ok(text) => cut(text, SHOWN),
        Err(error) => format!("error: {}", error.message),
    };
    let mut rows = vec![
        ("params", cut(&planned.params, SHOWN)),
        ("command", cut(&words.join(" "), SHOWN_COMMAND)),
    ];
    if let Some(note) = &planned.note {
        rows.push(("note", note.clone()));
    }
    rows.push(("env", planned.env.join(" ")));
    rows.push(("answer", format!("{answer} ({})", planned.from.words())));
    let mut out = format!("dry run: {}\n", escape_control(&planned.action));
    for (label, value) in rows {
        out += &format!("  {label:<8} {}\n", escape_control(&value));
    }
    out
}

/// Enough of a document to know it.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use kael_engine::failure::{ActionError, ErrorKind};
    use kael_engine::gate::answers::From;

    #[test]
    fn a_report_holds_only_so_much_of_what_was_planned() {
        let planned = |size: usize| Planned {
            action: "a".to_owned(),
            params: format!("[{}1]", " ".repeat(size)),
            command: vec!["x".to_owned()],
            note: None,
            env: Vec::new(),
            from: From::Nothing,
            answer: Ok("{}".to_owned()),
        };
        let mut told = Told::default();
        for size in [MAX_TOLD / 2, MAX_TOLD, MAX_TOLD / 4] {
            told.add(&planned(size));
        }
        assert_eq!((told.calls.len(), told.left_out), (1, 2));
        // Every field counts, and so does a call that has none.
        let large = || "x".repeat(MAX_TOLD);
        let failed = ActionError::new(ErrorKind::Failed, large());
        for planned in [
            Planned {
                action: large(),
                ..planned(0)
            },
            Planned {
                command: vec![large()],
                ..planned(0)
            },
            Planned {
                command: vec![String::new(); MAX_TOLD / 24],
                ..planned(0)
            },
            Planned {
                env: vec![large()],
                ..planned(0)
            },
            Planned {
                note: Some(large()),
                ..planned(0)
            },
            Planned {
                answer: Ok(large()),
                ..planned(0)
            },
            Planned {
                answer: Err(failed),
                ..planned(0)
            },
        ] {
            let mut told = Told::default();
            told.add(&planned);
            assert_eq!((told.calls.len(), told.left_out), (0, 1));
        }
        let mut told = Told::default();
        for _ in 0..MAX_TOLD / CALL {
            told.add(&planned(0));
        }
        assert!(told.left_out > 0);
    }
}
