//! The loop of a session: it reads lines, and puts them together to inputs.

use std::io::{self, Write as _};

use super::answer::{Next, ended};
use super::command::{self, ReplCommand};
use super::reading::{Event, Reader};
use super::signals::Signals;
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::settings::Settings;
use crate::snippet::SourceMap;
use crate::terminal::Paint;
use kael_engine::runtime::{Runtime, Session};
use kael_engine::sandbox::{ChunkEnd, ChunkUse, Ending, Output};

/// One interactive session.
pub(super) struct Repl<'a> {
    pub(super) shared: &'a Shared,
    pub(super) paint: Paint,
    pub(super) interactive: bool,
    /// The output of an input, for `--json`.
    pub(super) kept: Option<Output>,
    /// Whether slow actions are shown while they run.
    pub(super) progress: bool,
    pub(super) settings: Settings,
    pub(super) runtime: Runtime,
    pub(super) output: Output,
    pub(super) session: Session,
    pub(super) signals: Signals,
    pub(super) reader: Reader,
    /// The lines of an unfinished chunk.
    pub(super) pending: String,
    /// The number of the first line of the next input.
    pub(super) line: u32,
    /// All input, with each line at its number, and the loaded files: for quotes in errors.
    pub(super) typed: Vec<String>,
    pub(super) loaded: SourceMap,
    /// The exit code of the last error.
    pub(super) last: u8,
}

impl Repl<'_> {
    pub(super) async fn main_loop(mut self) -> u8 {
        if self.interactive && !self.shared.quiet {
            let banner = format!(
                "kael-host {}, actions: {}. :help lists the commands, :quit or Ctrl-D ends.\n",
                env!("CARGO_PKG_VERSION"),
                self.catalog().iter().count()
            );
            io::stdout().write_all(banner.as_bytes()).ok();
        }
        loop {
            let more = !self.pending.is_empty();
            let next = match self.read(more).await {
                Ok(Some(line)) => self.take(line).await,
                Ok(None) => Next::Line,
                Err(code) => return code,
            };
            if let Next::End(code) = next {
                return code;
            }
        }
    }

    /// Reads the next line. None if the user dropped it. Answers the editor's questions meanwhile.
    async fn read(&mut self, more: bool) -> Result<Option<String>, u8> {
        self.reader.ask(self.line, more);
        loop {
            let event = tokio::select! {
                biased;
                number = self.signals.any() => match (number, self.interactive) {
                    // The terminal tells the editor of Ctrl-C. This SIGINT came from another
                    // process.
                    (2, true) => continue,
                    _ => return Err(ended(self.shared, number)),
                },
                event = self.reader.next() => event,
            };
            match event {
                Event::Line(line) => return Ok(Some(line)),
                Event::Dropped => {
                    self.pending.clear();
                    return Ok(None);
                }
                Event::Check(text, reply) => {
                    let complete = command::is_command(&text) || self.is_complete(text).await;
                    reply.send(complete).ok();
                }
                Event::Complete(line, reply) => {
                    let offered = self.complete(&line).await;
                    reply.send(offered).ok();
                }
                Event::End => {
                    let text = std::mem::take(&mut self.pending);
                    if !text.is_empty() {
                        // The input ended inside a chunk. Evaluating it gives Lua's error.
                        let source = format!("{}{text}", "\n".repeat(self.line as usize - 1));
                        if let Next::End(code) = self.evaluate(source, ChunkUse::File, None).await {
                            return Err(code);
                        }
                    }
                    return Err(if self.interactive {
                        exit::SUCCESS
                    } else {
                        self.last
                    });
                }
                Event::Failed(message) => {
                    self.report_error(&Problem::usage(message), exit::USAGE);
                    return Err(exit::USAGE);
                }
            }
        }
    }

    async fn is_complete(&mut self, text: String) -> bool {
        let chunk = self.chunk(text, ChunkUse::Check, None);
        let report = self.session.evaluate(chunk, std::future::pending()).await;
        !matches!(
            report.map(|report| report.ending),
            Some(Ending::Done(ChunkEnd::Incomplete))
        )
    }

    async fn complete(&mut self, line: &str) -> Vec<String> {
        match command::names_an_action(line) {
            Some(start) => {
                let catalog = self.catalog();
                let names = catalog.iter().map(|(name, _)| name.as_str().to_owned());
                names.filter(|name| name.starts_with(start)).collect()
            }
            None => self.session.complete(line).await,
        }
    }

    async fn take(&mut self, line: String) -> Next {
        if self.pending.is_empty() {
            // A new input takes the lines of a dropped one.
            self.typed.truncate(self.line as usize - 1);
        }
        self.typed.extend(line.split('\n').map(str::to_owned));
        if self.pending.is_empty() && command::is_command(&line) {
            self.line += 1;
            return match ReplCommand::parse(&line) {
                Ok(command) => self.run_command(command).await,
                Err(message) => self.report_error(&Problem::usage(message), exit::USAGE),
            };
        }
        if !self.pending.is_empty() {
            self.pending.push('\n');
        }
        self.pending.push_str(&line);
        let source = self.pending.clone();
        self.evaluate(source, ChunkUse::Input, None).await
    }
}
