//! `kael-host actions`: what people do with a repo beside running scripts, one file a subcommand.

mod add;
pub(crate) mod args;
pub(super) mod describe;
mod edit;
mod exec;
mod init;
mod list;
mod remove;
mod types;
mod validate;

use std::path::PathBuf;

use crate::args::{Bounds, Shared};
use crate::config::Key;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use crate::settings;
use crate::snippet::SourceMap;
use crate::terminal::Paint;
use args::{Actions, Command};
use kael_authoring::ChangeError;
use kael_engine::app::{AppError, Settings};
use kael_engine::environment::Environment;

pub(super) fn run(shared: &Shared, actions: Actions, environment: &Environment) -> u8 {
    let session = |json| Session {
        shared,
        environment,
        json,
        paint: Paint::new(environment),
    };
    match actions.command {
        Command::List(list) => list::run(&session(list.json)),
        Command::Describe(describe) => describe::run(&session(describe.json), &describe.name),
        Command::Validate(validate) => validate::run(&session(validate.json), validate.fetch),
        Command::Exec(exec) => exec::run(&session(exec.json), &exec),
        Command::Add(add) => add::run(&session(add.json), *add),
        Command::Init(init) => init::run(&session(init.json), &init.folder),
        Command::Edit(edit) => edit::run(&session(edit.json), &edit.name),
        Command::Remove(remove) => remove::run(&session(remove.json), &remove.name, remove.yes),
        Command::Types(types) => types::run(&session(types.json), &types.output),
    }
}

/// What every subcommand works with.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    pub(super) environment: &'a Environment,
    pub(super) json: bool,
    pub(super) paint: Paint,
}

/// A command that has ended by itself: with this exit code, all said.
pub(super) struct Ended(u8);

impl Session<'_> {
    pub(super) fn fail(&self, error: &Problem, code: u8) -> Ended {
        Ended(error.report(self.shared, self.json, code))
    }

    /// The settings, and the repo that they name.
    fn settings(&self) -> Result<(Settings, PathBuf), Ended> {
        self.settings_with(Bounds::default())
    }

    pub(super) fn settings_with(&self, bounds: Bounds) -> Result<(Settings, PathBuf), Ended> {
        let config = settings::config(self.shared, &bounds, self.environment)
            .map_err(|error| self.fail(&Problem::of_config_error(&error), exit::CONFIG))?;
        let settings = settings::settings(&config, &bounds, self.environment.clone());
        match settings.actions.clone() {
            Some(folder) => Ok((settings, folder)),
            None => {
                let error = Problem::usage("no actions repo was given".to_owned()).hinted(
                    "use --actions DIR, KAEL_ACTIONS, or `actions_path` in the configuration; kael-host actions init makes a new one",
                );
                Err(self.fail(&error, exit::USAGE))
            }
        }
    }

    /// Waits for something; a signal or a want of threads ends the command.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Ended> {
        match block_with_signals(future) {
            Ok(Driven::Done(done)) => Ok(done),
            Ok(Driven::Signal(number)) => {
                Err(self.fail(&Problem::signal(number), exit::SIGNAL + number))
            }
            Err(error) => Err(self.fail(&Problem::no_threads(&error), exit::CONFIG)),
        }
    }

    pub(super) fn app_error(&self, error: &AppError) -> Ended {
        let code = exit::of_app_error(error);
        match Problem::of_app_error(error) {
            Some(error) => {
                let config = settings::config(self.shared, &Bounds::default(), self.environment);
                let repo = config.ok().and_then(|config| config.path(Key::ActionsPath));
                let texts = SourceMap::default().with_repo(repo.as_deref());
                self.fail(&error.quoting(texts), code)
            }
            None => Ended(code),
        }
    }

    fn change_error(&self, error: &ChangeError) -> Ended {
        match error {
            ChangeError::Repo(error) => self.app_error(error),
            ChangeError::Invalid(_) => {
                let error = Problem::usage(error.to_string())
                    .hinted("nothing was changed: see kael-host actions validate");
                self.fail(&error, exit::CONFIG)
            }
            ChangeError::File { .. }
            | ChangeError::Name(_)
            | ChangeError::Taken(_)
            | ChangeError::Unfit(_)
            | ChangeError::ByHand(_) => self.fail(&Problem::usage(error.to_string()), exit::USAGE),
        }
    }
}

/// The code of a command that says all it has to say itself.
pub(super) fn code(ended: Result<u8, Ended>) -> u8 {
    ended.unwrap_or_else(|Ended(code)| code)
}
