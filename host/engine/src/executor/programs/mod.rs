//! Runs implementations that are programs: as confined processes of the machine, and in containers.
//!
//! `source` brings their files here and makes them ready. `call` runs one of them to its end, and
//! `outcome` says what that end means: a result, or a failure of the action or of what ran it.
//! `runner` chooses what starts it: envyr, or `starter`, Kael's own. `docker` does the same in a
//! container. `plan` says what would run, for a dry run.

mod call;
mod docker;
mod limit_reached;
mod missing;
mod outcome;
mod plan;
mod readable;
mod runner;
pub mod starter;
mod status;
mod two_words;
pub(super) mod writable;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

#[cfg(fuzzing)]
pub use outcome::read_for_fuzzing;
pub use runner::{Runner, UnknownRunner};

use super::granted::judge_program;
use super::source::{self, Entry, Sources, path_without_envyr};
use super::{Execute, Execution, Fingerprint, Invocation, Planning, SourceDigest};
use super::{STDOUT_CAP, adapters, envyr, process, temporary};
use crate::activity::ActivityLog;
use crate::catalog::{Definition, Executor};
use crate::confinement::Confinement;
use crate::environment::Environment;
use crate::failure::ActionError;
use crate::permit;
use call::Call;

/// The configuration of programs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What starts native actions.
    pub runner: Runner,
    /// The envyr to use instead of Kael's own or the one on `PATH`.
    pub envyr: Option<PathBuf>,
    /// The program that becomes pid 1 of a call by the built-in runner: a `kael-host`, or one that
    /// does what [`starter::start`] does when its first argument is [`starter::WORD`].
    pub starter: Option<PathBuf>,
    /// Variables that fetching a source may see, beside the usual ones.
    pub fetch_env: Vec<String>,
    /// How much of their confinement native actions need. Every call is held to it.
    pub confinement: Confinement,
    /// The program that compiles actions of WebAssembly: a `kael-host`, or one that does what
    /// `kael_wasm::compile_stdin` does when its first argument is `kael_wasm::WORD` and its second
    /// that function's. Without it, only what was compiled before can be run.
    pub compiler: Option<PathBuf>,
    /// Names files and folders that no action's process is to see, beside Kael's own: where secrets
    /// come from. It is asked when the first source is fetched or run.
    pub hidden: Option<fn(&Environment) -> Vec<PathBuf>>,
    /// Where it is noted what is being fetched, prepared and built.
    pub activity: ActivityLog,
}

impl Settings {
    /// Those of the sources alone.
    pub(crate) fn sources(&self) -> source::Settings {
        source::Settings {
            fetch_env: self.fetch_env.clone(),
            activity: self.activity.clone(),
            hidden: self.hidden,
        }
    }
}

/// Runs the programs of one actions repo.
pub struct Programs {
    settings: Settings,
    environment: Environment,
    data: PathBuf,
    repo: PathBuf,
    sources: Arc<Sources>,
    /// Looked for when the first action that needs it runs.
    envyr: OnceCell<PathBuf>,
    /// Chosen when the first native action runs.
    runner: OnceCell<runner::Found>,
    /// Looked for when the first action with `executor = "docker"` runs.
    engine: OnceCell<docker::Engine>,
    /// Set once this machine was found to have all of the confinement that is required.
    confined: OnceCell<()>,
}

impl Programs {
    /// An executor for the repo in the folder `repo`, whose sources these are.
    #[must_use]
    pub fn new(
        settings: Settings,
        environment: Environment,
        repo: PathBuf,
        sources: Arc<Sources>,
    ) -> Self {
        Self {
            settings,
            data: environment.data_folder(),
            environment,
            repo,
            sources,
            envyr: OnceCell::new(),
            runner: OnceCell::new(),
            engine: OnceCell::new(),
            confined: OnceCell::new(),
        }
    }

    /// Refuses a call whose confinement the operator requires and this machine cannot give. It is
    /// asked before anything is fetched, prepared or started for the call.
    ///
    /// A container is confined by its engine and an action of WebAssembly by the instance that it
    /// runs in: both have all of their confinement on every machine that runs them at all, so that
    /// native actions alone can lack a part.
    async fn admit(&self, executor: Executor) -> Result<(), ActionError> {
        if self.settings.confinement != Confinement::Required || executor != Executor::Native {
            return Ok(());
        }
        let look = async || super::required(super::missing_confinement().await);
        self.confined.get_or_try_init(look).await.copied()
    }

    async fn envyr(&self) -> Result<&Path, ActionError> {
        let find = async || {
            let (named, data) = (self.settings.envyr.clone(), self.data.clone());
            let environment = self.environment.clone();
            // It is asked for its version, and may take long to answer.
            let finding =
                permit::blocking(move || envyr::find(named.as_deref(), &data, &environment));
            finding
                .await
                .unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))
        };
        self.envyr.get_or_try_init(find).await.map(PathBuf::as_path)
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let definition = invocation.definition;
        self.admit(definition.executor).await?;
        let given = invocation.encode()?;
        let tools = self.sources.tools(definition.timeout);
        let folder = self
            .sources
            .fetch(&definition.source, definition.timeout)
            .await?;
        let entry = source::find(&folder, definition)?;
        self.runs_nothing_that_actions_write(&entry)?;
        let path = self.sources.path();
        let mut env = source::scrubbed(&self.environment, path, &definition.env);
        let given_env = given.env.iter().map(|(n, v)| (n.into(), v.into()));
        source::set(&mut env, given_env);
        let call = Call {
            definition,
            given,
            tools,
            source: folder,
            entry,
            env,
        };
        let printed = match definition.executor {
            // Never sent here.
            Executor::Wasm | Executor::Builtin | Executor::Mcp => {
                let message = "it is no program of this machine";
                return Err(ActionError::unavailable(message, None));
            }
            Executor::Native => self.run_native(call).await?,
            Executor::Docker => self.run_docker(call).await?,
        };
        adapters::decode_output(&definition.adapter, printed, STDOUT_CAP).await
    }

    /// Refuses an entry point that an action may have written.
    fn runs_nothing_that_actions_write(&self, entry: &Entry) -> Result<(), ActionError> {
        let file = entry.folder.join(&entry.file);
        let real = file.canonicalize().unwrap_or(file);
        judge_program(&self.repo, &real).map_err(|why| {
            let message = format!("the entry point {} {why}", real.display());
            ActionError::unavailable(message, None)
        })
    }
}

impl Execute for Programs {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }

    fn runner(&self, definition: &Definition) -> Option<&'static str> {
        match definition.executor {
            Executor::Native => self.runner.get().map(runner::Found::name),
            executor => Some(executor.name()),
        }
    }

    fn plan<'a>(&'a self, invocation: Invocation<'a>) -> Planning<'a> {
        Box::pin(self.planned(invocation))
    }

    fn fingerprint<'a>(&'a self, definition: &'a Definition, key: [u8; 32]) -> Fingerprint<'a> {
        Box::pin(async move {
            self.admit(definition.executor).await?;
            let found = self.sources.fingerprint(definition, key, envyr::VERSION);
            Ok(found.await?)
        })
    }

    fn source_digest<'a>(&'a self, definition: &'a Definition) -> SourceDigest<'a> {
        Box::pin(async move { Ok(Some(self.sources.digest(definition).await?)) })
    }
}

/// Finds a container engine that answers.
///
/// # Errors
/// When there is none.
pub fn find_engine(environment: &Environment, data: &Path) -> Result<PathBuf, ActionError> {
    let path = path_without_envyr(environment, data);
    docker::Engine::find(environment, &path, data).map(|engine| engine.program().to_owned())
}

/// Waits for what abandoned calls still have to clean up; for their temporary folders no longer than
/// `folders`. Whether nothing is left.
pub fn finish(within: Duration, folders: Duration) -> bool {
    let deadline = Instant::now() + within;
    let left = || deadline.saturating_duration_since(Instant::now());
    process::finish(left());
    docker::finish(left());
    let is_in_time = !left().is_zero();
    temporary::finish(left().min(folders)) && is_in_time
}
