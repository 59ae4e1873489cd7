//! Runs implementations through envyr, and works around what it does not do itself.

mod entry;
mod outcome;
mod source;
mod tool;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use tool::{REMEDY, VERSION, tools_folder};
pub use variables::FETCH_DEFAULTS;

use super::process::{self, Command};
use super::{Execute, Execution, Invocation};
use crate::catalog::{Definition, Executor};
use crate::environment::Environment;
use crate::failure::ActionError;
use entry::Entry;
use source::Preparer;

/// Bytes of stdout that a result may have.
const STDOUT_CAP: usize = 64 << 20;
/// Bytes of stderr that are kept: the last ones.
const STDERR_TAIL: usize = 64 << 10;

/// What the user settled about envyr.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The program to use instead of Kael's own or the one on `PATH`.
    pub envyr: Option<PathBuf>,
    /// Variables that fetching a source may see, beside the usual ones.
    pub fetch_env: Vec<String>,
}

/// Runs implementations of one actions repo.
pub struct Envyr {
    settings: Settings,
    environment: Environment,
    data: PathBuf,
    repo: PathBuf,
    /// Looked for when the first action runs.
    found: OnceCell<Found>,
}

#[derive(Clone)]
struct Found {
    envyr: PathBuf,
    path: OsString,
}

impl Envyr {
    /// An executor for the repo in the folder `repo`.
    #[must_use]
    pub fn new(settings: Settings, environment: Environment, repo: PathBuf) -> Self {
        let data = environment.data_folder();
        Self {
            settings,
            environment,
            data,
            repo,
            found: OnceCell::new(),
        }
    }

    async fn found(&self) -> Result<&Found, ActionError> {
        let find = async || {
            let envyr = tool::find(
                self.settings.envyr.as_deref(),
                &self.data,
                &self.environment,
            )?;
            let path = variables::path_without_envyr(&self.environment, &self.data);
            Ok(Found { envyr, path })
        };
        self.found.get_or_try_init(find).await
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let definition = invocation.definition;
        if definition.executor == Executor::Docker {
            return Err(ActionError::unavailable(
                "the docker executor is not available in this version",
                None,
            ));
        }
        let found = self.found().await?;
        let entry = self.prepared(definition, found).await?;
        let temporary = temporary_folder()?;
        let mut env = variables::scrubbed(
            &self.environment,
            &found.path,
            entry.language,
            &definition.env,
        );
        env.push(("TMPDIR".into(), temporary.path().into()));
        let command = Command {
            program: found.envyr.clone(),
            args: native_arguments(&self.data, &entry),
            env,
            folder: entry.folder.clone(),
            stdin: invocation.params.into_bytes(),
            timeout: definition.timeout.duration(),
            stdout_cap: STDOUT_CAP,
            stderr_tail: STDERR_TAIL,
            contained: true,
        };
        let finished = process::run(command, |_| ()).await;
        let finished = finished.map_err(|problem| {
            ActionError::unavailable(format!("starting envyr: {problem}"), None)
        })?;
        outcome::read(finished, definition.timeout, STDOUT_CAP)
    }

    async fn prepared(&self, definition: &Definition, found: &Found) -> Result<Entry, ActionError> {
        let mut fetch_names: Vec<String> = FETCH_DEFAULTS.map(str::to_owned).into();
        fetch_names.extend(self.settings.fetch_env.iter().cloned());
        let language = definition
            .language
            .unwrap_or(crate::catalog::Language::Other);
        let mut env = variables::scrubbed(&self.environment, &found.path, language, &fetch_names);
        if self.environment.get("GIT_SSH_COMMAND").is_none() {
            // A question about a host key would wait for an answer for ever.
            env.push(("GIT_SSH_COMMAND".into(), "ssh -oBatchMode=yes".into()));
        }
        let preparer = Preparer {
            envyr: &found.envyr,
            data: &self.data,
            env,
            repo: &self.repo,
        };
        let folder = preparer.fetch(&definition.source).await?;
        let entry = entry::find(&folder, definition)?;
        preparer.prepare(&entry).await?;
        Ok(entry)
    }
}

impl Execute for Envyr {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }
}

/// The order in which envyr takes its arguments: its lists swallow what stands behind them.
fn native_arguments(data: &Path, entry: &Entry) -> Vec<OsString> {
    let fixed = ["run", "--executor", "native", "--autogen"];
    let mut args: Vec<OsString> = vec!["--root".into(), data.join("envyr").into()];
    args.extend(fixed.map(OsString::from));
    for (option, value) in [
        ("-x", entry.file.as_str()),
        ("-i", &entry.interpreter),
        ("-t", entry.language.name()),
    ] {
        args.extend([OsStr::new(option).to_owned(), value.into()]);
    }
    args.push(entry.folder.as_os_str().to_owned());
    args
}

/// A folder that is removed with all that is in it.
fn temporary_folder() -> Result<TempDir, ActionError> {
    tempfile::Builder::new()
        .prefix("kael-")
        .tempdir()
        .map_err(|problem| {
            ActionError::unavailable(format!("making a temporary folder: {problem}"), None)
        })
}
