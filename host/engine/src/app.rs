//! Puts the parts together for one command.

pub mod session;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;

use crate::activity::Kind;
use crate::catalog::{Catalog, DefinitionError};
use crate::confinement::Confinement;
use crate::environment::Environment;
use crate::executor::envyr::{self, Envyr};
use crate::executor::{self, ExecutorFactory, Executors};
use crate::gate::{Cache, CacheUse, Dispatcher, DryRun, Policy, Recorder};
use crate::limits::{LimitHit, Limits};
use crate::policy::PolicyError;
use crate::repo::{Bundle, RepoError};
use crate::sandbox::{
    Busy, Ending, EngineError, Output, PreparedRepo, Report, Sandbox, Script, ScriptError,
};

/// What one command was told.
#[derive(Clone)]
pub struct Settings {
    /// The folder of the actions repo; without one a script runs with no actions.
    pub actions: Option<PathBuf>,
    /// For the script, and for loading the repo.
    pub limits: Limits,
    /// What the script may call.
    pub policy: Policy,
    /// The part of the policy that was typed for this very run: what denies nothing there is a slip.
    pub typed: Policy,
    /// What is done with results that may be used again.
    pub cache: CacheUse,
    /// Answers calls instead of running them.
    pub rehearsal: Option<Arc<DryRun>>,
    /// Writes down the answers.
    pub recorder: Option<Arc<Recorder>>,
    /// Which envyr, what fetching may see, and how much of their confinement actions need.
    pub envyr: envyr::Settings,
    /// What Kael was started with.
    pub environment: Environment,
    /// Executors beside those of the engine.
    pub executors: Vec<Arc<dyn ExecutorFactory>>,
}

/// Why a run did not begin.
#[derive(Debug, Error)]
pub enum AppError {
    /// The sandbox.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The repo's files.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The repo's code.
    #[error("{}", .0.message)]
    Load(ScriptError),
    /// The repo reached a limit while it loaded.
    #[error("the actions repo `{repo}` reached a limit while it loaded: {hit}")]
    Limit {
        /// As the user wrote it.
        repo: String,
        /// Which.
        hit: LimitHit,
        /// The Lua frames that were running.
        frames: Vec<String>,
    },
    /// The repo's definitions, all that are wrong.
    #[error("{}", join(.0))]
    Definitions(Vec<DefinitionError>),
    /// The policy: all that is wrong with it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The confinement of actions is required and not to be had; part by part.
    #[error("{}{}", executor::REQUIRED, .0.join(", "))]
    Confinement(Vec<String>),
    /// No instance was free, and too many callers wait for one.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The reader of the output left while the repo loaded.
    #[error("the output was closed")]
    OutputClosed,
    /// A bug in Kael.
    #[error("{0}")]
    Fault(String),
}

fn join(problems: &[DefinitionError]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// An actions repo that was read and evaluated.
pub struct Repo {
    /// Its Lua files.
    pub bundle: Bundle,
    /// The same for the instances of scripts.
    pub ready: PreparedRepo,
    /// What it defines.
    pub catalog: Arc<Catalog>,
}

impl Repo {
    /// Reads a repo and evaluates it in an instance of its own, before any script is seen.
    ///
    /// # Errors
    /// Whatever is wrong with the repo.
    pub async fn load(
        sandbox: &Sandbox,
        folder: &Path,
        limits: &Limits,
        output: &Output,
    ) -> Result<Self, AppError> {
        let (repo, problems) = Self::inspect(sandbox, folder, limits, output).await?;
        if problems.is_empty() {
            Ok(repo)
        } else {
            Err(AppError::Definitions(problems))
        }
    }

    /// A policy for the calls of its actions, with the repo's own.
    ///
    /// # Errors
    /// What is wrong with the policy.
    pub fn policy(&self, policy: &Policy) -> Result<Policy, PolicyError> {
        let own = self.bundle.policy.as_ref();
        policy.compiled(
            own.map(|(name, text)| (name.as_str(), text.as_str())),
            &self.catalog,
        )
    }

    /// What is wrong on this machine with what its definitions give to actions for writing.
    #[must_use]
    pub fn wrong_grants(&self, environment: &Environment) -> Vec<DefinitionError> {
        executor::grant_problems(&self.catalog, &self.bundle.root, environment)
    }

    /// The same with what is right of it, and all that is wrong with its definitions.
    ///
    /// # Errors
    /// When it cannot be read or evaluated.
    pub async fn inspect(
        sandbox: &Sandbox,
        folder: &Path,
        limits: &Limits,
        output: &Output,
    ) -> Result<(Self, Vec<DefinitionError>), AppError> {
        let bundle = Bundle::read(folder)?;
        // The script's instance evaluates a repo that prints again: what it prints is to be seen once.
        let printed = Output::in_memory();
        let report = sandbox.load_repo(&bundle, limits, printed.clone()).await;
        if !matches!(report.ending, Ending::Done(_)) {
            output.forward(&printed).await;
        }
        match report.ending {
            Ending::Done(loaded) => {
                let (catalog, problems) = Catalog::collect(&loaded.definitions);
                let repo = Self {
                    bundle,
                    ready: loaded.ready,
                    catalog: Arc::new(catalog),
                };
                Ok((repo, problems))
            }
            Ending::Failed(error) => Err(AppError::Load(error)),
            Ending::Limit(hit, frames) => Err(AppError::Limit {
                repo: folder.display().to_string(),
                hit,
                frames,
            }),
            Ending::Exited(_) => Err(AppError::Fault("a repo ended a run".to_owned())),
            // What a repo prints while it loads is kept in memory.
            Ending::OutputClosed | Ending::OutputFailed(_) => Err(AppError::OutputClosed),
            Ending::Busy(busy) => Err(busy.into()),
            Ending::Fault(fault) => Err(AppError::Fault(fault)),
        }
    }
}

/// Reads and evaluates the repo in `folder`, for looking at it.
///
/// # Errors
/// When it cannot be read or evaluated.
pub async fn inspect(
    folder: &Path,
    limits: &Limits,
) -> Result<(Repo, Vec<DefinitionError>), AppError> {
    let sandbox = Sandbox::new(2)?;
    Repo::inspect(&sandbox, folder, limits, &Output::in_memory()).await
}

/// The executors of a repo's actions.
#[must_use]
pub fn executors(settings: &Settings, root: PathBuf) -> Executors {
    Executors::new(
        settings.envyr.clone(),
        settings.environment.clone(),
        root,
        &settings.executors,
    )
}

/// The gate to the actions of a repo, held to the policy of the settings and of the repo.
///
/// # Errors
/// What is wrong with the policy.
pub fn dispatcher(settings: &Settings, repo: Option<&Repo>) -> Result<Dispatcher, PolicyError> {
    let catalog = repo.map(|repo| repo.catalog.clone()).unwrap_or_default();
    let root = repo
        .map(|repo| repo.bundle.root.clone())
        .unwrap_or_default();
    let policy = match repo {
        Some(repo) => repo.policy(&settings.policy)?,
        // There is nothing to call, and so nothing that a rule could name.
        None => Policy::default(),
    };
    let cache = Cache::new(&settings.environment.data_folder(), &root, settings.cache);
    let executors = Arc::new(executors(settings, root));
    Ok(Dispatcher::new(catalog, policy, executors)
        .with_activity(settings.envyr.activity.clone())
        .with_cache(cache)
        .with_answers(settings.rehearsal.clone(), settings.recorder.clone()))
}

/// Waits for what an abandoned run still has to clean up, such as containers, and removes what was made for a next call. To be
/// called before the process ends.
pub fn finish(within: Duration) {
    envyr::finish(within);
}

/// Evaluates a Lua file that returns a value, with no actions at all: the value as JSON text.
///
/// # Errors
/// Whatever is wrong with it, in words.
pub async fn evaluate(name: &str, source: String, limits: &Limits) -> Result<String, String> {
    let script = Script {
        name: name.to_owned(),
        source: source.into_bytes(),
        want_result: true,
        ..Script::default()
    };
    ask(None, script, limits).await
}

/// Runs a script of Kael's own beside the modules of a repo, and gives what it returns as JSON text. It may look at the
/// repo's tree; whatever it calls there is an action that does not exist.
///
/// # Errors
/// Whatever is wrong, in words.
pub async fn ask(
    repo: Option<&PreparedRepo>,
    script: Script,
    limits: &Limits,
) -> Result<String, String> {
    let sandbox = Sandbox::new(2).map_err(|error| error.to_string())?;
    let envyr = Envyr::new(
        envyr::Settings::default(),
        Environment::default(),
        PathBuf::new(),
    );
    let none = Dispatcher::new(Arc::default(), Policy::default(), Arc::new(envyr));
    let report = sandbox
        .run_script(repo, script, limits, Output::in_memory(), Arc::new(none))
        .await;
    match report.ending {
        Ending::Done(value) => Ok(value.unwrap_or_default()),
        Ending::Failed(error) => Err(error.message),
        Ending::Limit(hit, _) => Err(hit.to_string()),
        Ending::Exited(code) => Err(format!("it called os.exit({code})")),
        Ending::OutputClosed => Err("the output was closed".to_owned()),
        Ending::Busy(busy) => Err(busy.to_string()),
        Ending::OutputFailed(error) | Ending::Fault(error) => Err(error),
    }
}

/// The sandbox of all scripts that this process runs one after the other. Nobody takes it apart: that is a tenth of a
/// short run, and the end of the process does it for nothing.
fn sandbox() -> Result<&'static Sandbox, EngineError> {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    if let Some(sandbox) = SANDBOX.get() {
        return Ok(sandbox);
    }
    // One instance for the repo, then one for the script.
    let made = Sandbox::new(2)?;
    Ok(SANDBOX.get_or_init(|| made))
}

/// Runs one script; for a program that runs no two at the same time.
///
/// # Errors
/// When it could not begin.
pub async fn run_script(
    settings: &Settings,
    script: Script,
    output: Output,
) -> Result<Report<Option<String>>, AppError> {
    let sandbox = sandbox()?;
    let (repo, dispatcher) = begin(settings, sandbox, &output).await?;
    let ready = repo.as_ref().map(|repo| &repo.ready);
    let _running = settings.envyr.activity.begin(Kind::Script, &script.name);
    Ok(sandbox
        .run_script(ready, script, &settings.limits, output, dispatcher)
        .await)
}

/// Loads the repo and makes the gate to its actions.
async fn begin(
    settings: &Settings,
    sandbox: &Sandbox,
    output: &Output,
) -> Result<(Option<Repo>, Arc<Dispatcher>), AppError> {
    // Each native call is held to this by its executor; here it is reported before anything runs.
    if settings.envyr.confinement == Confinement::Required {
        let missing = executor::missing_confinement().await;
        if !missing.is_empty() {
            return Err(AppError::Confinement(missing));
        }
    }
    let repo = match &settings.actions {
        Some(folder) => {
            let board = &settings.envyr.activity;
            let _loading = board.begin(Kind::Repo, "loading the actions repo");
            Some(Repo::load(sandbox, folder, &settings.limits, output).await?)
        }
        None => None,
    };
    if let Some(repo) = &repo {
        let problems = repo.wrong_grants(&settings.environment);
        if !problems.is_empty() {
            return Err(AppError::Definitions(problems));
        }
    }
    let catalog = repo
        .as_ref()
        .map(|repo| repo.catalog.clone())
        .unwrap_or_default();
    let names: Vec<_> = catalog
        .iter()
        .flat_map(|(_, definition)| &definition.names)
        .collect();
    for pattern in settings.typed.unmatched(&names) {
        tracing::warn!("--deny {} matches no action of the repo", pattern.as_str());
    }
    let dispatcher = dispatcher(settings, repo.as_ref())?;
    Ok((repo, Arc::new(dispatcher)))
}
