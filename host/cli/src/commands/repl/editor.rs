//! The line editor on a terminal: history, completion, and multi-line input.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustyline::completion::{Completer, FilenameCompleter};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::command;
use super::reading::{Event, Reader, ReaderChannels};

/// Inputs that the history keeps.
const REMEMBERED: usize = 10_000;

/// Starts the editor. Keeps the history in the file, if one is given.
pub(super) fn start(history: Option<PathBuf>) -> io::Result<Reader> {
    Reader::spawn(move |channels| {
        let events = channels.events.clone();
        if let Err(error) = edit(channels, history.as_deref()) {
            let failed = Event::Failed(format!("the line editor failed: {error}"));
            events.send(failed).ok();
        }
    })
}

fn edit(channels: ReaderChannels, history: Option<&Path>) -> rustyline::Result<()> {
    let config = Config::builder()
        .max_history_size(REMEMBERED)?
        .history_ignore_space(true)
        .auto_add_history(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::<Asking, DefaultHistory>::with_config(config)?;
    editor.set_helper(Some(Asking {
        events: channels.events.clone(),
        files: FilenameCompleter::new(),
    }));
    let mut history = history.filter(|file| match prepare(file) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!("no history is kept in {}: {error}", file.display());
            false
        }
    });
    if let Some(file) = history {
        // The first time there is no file. A file that cannot be read does not matter.
        editor.load_history(file).ok();
    }
    while let Ok(prompt) = channels.prompts.recv() {
        let text = if prompt.more {
            format!(
                "{:>width$} ",
                "..",
                width = "kael:".len() + prompt.line.to_string().len()
            )
        } else {
            format!("kael:{}> ", prompt.line)
        };
        let event = match editor.readline(&text) {
            Ok(line) => Event::Line(line),
            Err(ReadlineError::Interrupted) => Event::Dropped,
            Err(ReadlineError::Eof) => Event::End,
            Err(error) => return Err(error),
        };
        if let Some(file) = history
            && let Err(error) = editor.append_history(file)
        {
            tracing::warn!("no history is kept in {}: {error}", file.display());
            history = None;
        }
        if channels.events.send(event).is_err() {
            break;
        }
    }
    Ok(())
}

/// Creates the file with mode 0600, because inputs may contain secrets.
fn prepare(file: &Path) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
    let file = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Asks the session for completions and for the end of a chunk.
struct Asking {
    events: tokio::sync::mpsc::UnboundedSender<Event>,
    files: FilenameCompleter,
}

impl Asking {
    fn ask<T>(&self, question: impl FnOnce(mpsc::Sender<T>) -> Event) -> Option<T> {
        let (reply, answer) = mpsc::channel();
        self.events.send(question(reply)).ok()?;
        answer.recv().ok()
    }
}

impl Completer for Asking {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..position];
        if command::is_command(before) && !before.trim_start().contains(' ') {
            let start = position - before.trim_start().len();
            return Ok((start, command::names(before.trim_start())));
        }
        if command::is_command(before) && command::names_a_file(before).is_some() {
            let (start, files) = self.files.complete(line, position, context)?;
            return Ok((
                start,
                files.into_iter().map(|file| file.replacement).collect(),
            ));
        }
        let part_of_name = |c: char| {
            let dots = command::is_command(before) && matches!(c, '.' | '-');
            c.is_ascii_alphanumeric() || c == '_' || dots
        };
        let start = before.rfind(|c| !part_of_name(c)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
        let asked = before.to_owned();
        let names = self.ask(|reply| Event::Complete(asked, reply));
        Ok((start, names.unwrap_or_default()))
    }
}

impl Validator for Asking {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().to_owned();
        let complete = self.ask(|reply| Event::Check(text, reply));
        Ok(match complete {
            Some(false) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Asking {
    type Hint = String;
}
impl Highlighter for Asking {}
impl Helper for Asking {}
