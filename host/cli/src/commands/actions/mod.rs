//! `kael-host actions`: lists, checks, calls and changes the actions of a repo, with one file per
//! subcommand.

mod add;
pub(crate) mod args;
pub(super) mod describe;
mod edit;
mod exec;
mod fetch;
mod init;
mod list;
mod remove;
#[cfg(feature = "mcp")]
mod servers;
mod types;
mod validate;

use std::path::PathBuf;

use crate::args::{Bounds, Shared};
use crate::config::Key;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use crate::settings::{self, Settings};
use crate::snippet::SourceMap;
use crate::terminal::Paint;
use args::{Actions, ActionsCommand};
use kael_authoring::ChangeError;
use kael_engine::environment::Environment;
use kael_engine::runtime::LoadError;

pub(super) fn run(shared: &Shared, actions: Actions, environment: &Environment) -> u8 {
    let context = |json| ActionsContext {
        shared,
        environment,
        json,
        paint: Paint::new(environment),
    };
    match actions.command {
        ActionsCommand::List(list) => list::run(&context(list.json)),
        ActionsCommand::Describe(describe) => {
            describe::run(&context(describe.json), &describe.name)
        }
        ActionsCommand::Validate(validate) => {
            validate::run(&context(validate.json), validate.fetch)
        }
        ActionsCommand::Exec(exec) => exec::run(&context(exec.json), &exec),
        ActionsCommand::Fetch(fetch) => fetch::run(&context(fetch.json), &fetch),
        ActionsCommand::Add(add) => add::run(&context(add.json), *add),
        ActionsCommand::Init(init) => init::run(&context(init.json), &init.folder),
        ActionsCommand::Edit(edit) => edit::run(&context(edit.json), &edit.name),
        ActionsCommand::Remove(remove) => {
            remove::run(&context(remove.json), &remove.name, remove.yes)
        }
        #[cfg(feature = "mcp")]
        ActionsCommand::Mcp(servers) => {
            servers::run(&context(servers.command.json()), &servers.command)
        }
        ActionsCommand::Types(types) => types::run(&context(types.json), &types.output),
    }
}

/// What every subcommand needs.
pub(super) struct ActionsContext<'a> {
    pub(super) shared: &'a Shared,
    pub(super) environment: &'a Environment,
    pub(super) json: bool,
    pub(super) paint: Paint,
}

/// The exit code of a command that has reported its own error.
pub(super) struct Ended(u8);

impl ActionsContext<'_> {
    pub(super) fn fail(&self, error: &Problem, code: u8) -> Ended {
        Ended(error.report(self.shared, self.json, code))
    }

    /// The settings and the repo's folder.
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

    /// Waits for a future. A signal, or a failure to start threads, ends the command.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, Ended> {
        match block_with_signals(future) {
            Ok(Driven::Done(done)) => Ok(done),
            Ok(Driven::Signal(number)) => {
                Err(self.fail(&Problem::signal(number), exit::SIGNAL + number))
            }
            Err(error) => Err(self.fail(&Problem::no_threads(&error), exit::CONFIG)),
        }
    }

    pub(super) fn load_error(&self, error: &LoadError) -> Ended {
        let code = exit::of_load_error(error);
        match Problem::of_load_error(error) {
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
            ChangeError::Repo(error) => self.load_error(error),
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

/// The exit code of a command that has printed everything.
pub(super) fn code(ended: Result<u8, Ended>) -> u8 {
    ended.unwrap_or_else(|Ended(code)| code)
}
