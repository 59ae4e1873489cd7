//! Runs the session's own commands: `:help`, `:reset`, `:load`, `:describe`.

use super::answer::Next;
use super::command::{self, ReplCommand};
use super::session::Repl;
use crate::commands::actions::describe;
use crate::commands::run;
use crate::exit;
use crate::report::Problem;
use kael_engine::sandbox::ChunkUse;

impl Repl<'_> {
    pub(super) async fn run_command(&mut self, command: ReplCommand) -> Next {
        match command {
            ReplCommand::Help => self.say(command::HELP),
            ReplCommand::Quit => Next::End(if self.interactive {
                exit::SUCCESS
            } else {
                self.last
            }),
            ReplCommand::Reset => match self.reset().await {
                Ok(()) if self.interactive => {
                    self.say("The repo is loaded anew, and all variables are gone.\n")
                }
                Ok(()) => self.say(""),
                Err(error) => {
                    let code = exit::of_load_error(&error);
                    match Problem::of_load_error(&error) {
                        Some(error) => self.report_error(&error.quoting(self.texts()), code),
                        None => Next::End(code),
                    }
                }
            },
            ReplCommand::Load(path) => match run::file(&path) {
                Ok(source) => {
                    let name = path.display().to_string();
                    self.loaded.set(&name, &source);
                    self.evaluate(source, ChunkUse::File, Some(name)).await
                }
                Err(message) => self.report_error(&Problem::usage(message), exit::USAGE),
            },
            ReplCommand::Describe(name) => self.describe(&name).await,
        }
    }

    async fn describe(&mut self, name: &str) -> Next {
        let catalog = self.catalog();
        let Some((name, definition)) = describe::find(&catalog, name) else {
            let error = describe::unknown(&catalog, name);
            return self.report_error(&error, exit::USAGE);
        };
        // What has a definition has a repo.
        let Some(repo) = self.session.repo() else {
            return Next::Line;
        };
        let looked = repo.executors().look(definition, false).await;
        let text = describe::text(self.paint, name, definition, &looked);
        self.say(&text)
    }
}
