//! Evaluates the inputs of a session, and reports how each ended.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Next, document, ended, goes_on, not_begun};
use super::session::Repl;
use super::signals::Signals;
use crate::report::Problem;
use crate::snippet::SourceMap;
use crate::terminal::say_json_line;
use crate::{exit, progress};
use kael_engine::catalog::Catalog;
use kael_engine::runtime::LoadError;
use kael_engine::sandbox::{Chunk, ChunkEnd, ChunkUse, Ending};

/// How long an evaluation may take to end after an interrupt, before the whole session ends.
const GRACE: Duration = Duration::from_secs(2);

impl Repl<'_> {
    /// The name of the input in errors.
    fn own_name(&self) -> &'static str {
        if self.interactive { "repl" } else { "stdin" }
    }

    pub(super) fn chunk(&self, source: String, use_as: ChunkUse, name: Option<String>) -> Chunk {
        Chunk {
            name: name.unwrap_or_else(|| self.own_name().to_owned()),
            line: self.line,
            source,
            use_as,
        }
    }

    /// Evaluates an input, or the file of that name, and reports how it ended.
    pub(super) async fn evaluate(
        &mut self,
        source: String,
        use_as: ChunkUse,
        file: Option<String>,
    ) -> Next {
        let typed = file.is_none();
        let chunk = self.chunk(source, use_as, file);
        let asked = self.session.interrupt();
        let Signals {
            interrupt,
            terminate,
            hangup,
        } = &mut self.signals;
        let stop = async {
            if !self.interactive {
                return std::future::pending().await;
            }
            interrupt.recv().await;
            asked.request();
            tokio::select! {
                _ = interrupt.recv() => {}
                () = tokio::time::sleep(GRACE) => {}
            }
        };
        let shown = progress::show(self.runtime.activity(), self.progress);
        let report = {
            let evaluating = self.session.evaluate(chunk, stop);
            tokio::select! {
                biased;
                _ = terminate.recv() => Err(15),
                _ = hangup.recv() => Err(1),
                report = evaluating => Ok(report),
            }
        };
        drop(shown);
        let report = match report {
            Ok(report) => report,
            Err(number) => return Next::End(ended(self.shared, number)),
        };
        if let Some(Ending::Done(ChunkEnd::Incomplete)) = report.as_ref().map(|r| &r.ending) {
            return Next::Line;
        }
        if typed {
            let lines = self.pending.matches('\n').count() + 1;
            self.line += u32::try_from(lines).unwrap_or(1);
            self.pending.clear();
        }
        let next = match report {
            None => self.report_error(&Problem::usage("interrupted".to_owned()), exit::SIGNAL + 2),
            Some(report) => {
                let code = exit::of_ending(&report.ending);
                let next = match Problem::of_ending(&report.ending) {
                    Some(error) => self.report_error(&error.quoting(self.texts()), code),
                    None => self.say(""),
                };
                match report.ending {
                    Ending::Exited(_) | Ending::OutputClosed | Ending::OutputFailed(_) => {
                        Next::End(code)
                    }
                    _ => next,
                }
            }
        };
        if self.session.is_lost() && matches!(next, Next::Line) {
            return self.begin_anew().await;
        }
        next
    }

    pub(super) fn texts(&self) -> SourceMap {
        let texts = self
            .loaded
            .clone()
            .with(self.own_name(), &self.typed.join("\n"));
        texts.with_repo(self.settings.actions.as_deref())
    }

    /// The actions of the repo.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        let repo = self.session.repo();
        repo.map(|repo| repo.catalog.clone()).unwrap_or_default()
    }

    /// Begins anew with the repo as it is now.
    pub(super) async fn reset(&mut self) -> Result<(), LoadError> {
        let repo = self.settings.repo(&self.runtime, &self.output).await?;
        self.session.restart(repo).await
    }

    async fn begin_anew(&mut self) -> Next {
        if self.kept.is_none() {
            let note =
                "The session's variables are lost. A new one has begun, with the repo loaded.\n";
            io::stderr().write_all(note.as_bytes()).ok();
        }
        match self.session.revive().await {
            Ok(()) => Next::Line,
            Err(error) => {
                let as_json = self.kept.is_some();
                Next::End(not_begun(self.shared, as_json, &error, self.texts()))
            }
        }
    }

    pub(super) fn report_error(&mut self, error: &Problem, code: u8) -> Next {
        self.last = code;
        let Some(kept) = &self.kept else {
            error.print(self.shared.quiet);
            return Next::Line;
        };
        let document = document(&kept.take(), Some(error), code, self.session.is_lost());
        goes_on(say_json_line(&document, exit::SUCCESS))
    }

    /// Prints text besides the output. With `--json` it is part of the input's document.
    pub(super) fn say(&self, text: &str) -> Next {
        goes_on(match &self.kept {
            None => crate::terminal::say(text, exit::SUCCESS),
            Some(kept) => {
                let output = kept.take() + text;
                let document = document(&output, None, exit::SUCCESS, self.session.is_lost());
                say_json_line(&document, exit::SUCCESS)
            }
        })
    }
}
