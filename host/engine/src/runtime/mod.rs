//! The door to the engine: a program builds one `Runtime`, loads repos into it and runs scripts.
//!
//! A runtime owns a pool of sandboxed instances with a queue in front of it, the executors that the
//! program added, and the bounds over all of its runs. Two runtimes in one process share what the
//! process has only once, and nothing else: ARCHITECTURE.md lists it.

mod builder;
mod call;
mod error;
mod eval;
mod repo;
mod rule;
mod run;
mod session;
mod snapshot;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;

pub use builder::RuntimeBuilder;
pub use call::CallReport;
pub use error::{EvalError, LoadError};
pub use repo::{Repo, RepoOptions};
pub use rule::Rule;
pub use run::{RunHandle, RunOptions, RunReport};
pub use session::Session;
pub use snapshot::RepoSnapshot;

/// SHA-256 of the guest, in hexadecimal: a journal is replayed on the guest that it was written with.
pub const GUEST_SHA256: &str = kael_guest_aot::GUEST_SHA256;

use crate::activity::ActivityLog;
use crate::catalog::Catalog;
use crate::confinement::Confinement;
use crate::environment::Environment;
use crate::executor::programs;
use crate::executor::source::Sources;
use crate::executor::{self, Execute, ExecutorFactory, Executors};
use crate::gate::Dispatcher;
use crate::run_info::RunInfo;
use crate::sandbox::Sandbox;

/// Runs scripts for one program. Clones are the same runtime.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    sandbox: Arc<Sandbox>,
    programs: programs::Settings,
    environment: Environment,
    executors: Vec<Arc<dyn ExecutorFactory>>,
    /// Calls in flight of all runs together, where that is bounded.
    calls: Option<Arc<Semaphore>>,
    /// The actions of a run without a repo: those of the host.
    no_repo: Arc<Catalog>,
    /// What answers the calls of a run without a repo.
    no_actions: OnceLock<Arc<dyn Execute>>,
}

impl Runtime {
    /// Settings for a runtime, which has 8 instances unless they say otherwise.
    #[must_use]
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Where the runtime notes what it does.
    #[must_use]
    pub fn activity(&self) -> &ActivityLog {
        &self.inner.programs.activity
    }

    /// Refuses a machine that lacks a part of the confinement that native actions require. Every
    /// call is held to it anyway; this says so before anything runs.
    ///
    /// # Errors
    /// [`LoadError::Confinement`], with every part that is missing.
    pub async fn require_confinement(&self) -> Result<(), LoadError> {
        if self.inner.programs.confinement != Confinement::Required {
            return Ok(());
        }
        match executor::missing_confinement().await {
            missing if missing.is_empty() => Ok(()),
            missing => Err(LoadError::Confinement(missing)),
        }
    }

    /// The gate of one run.
    fn dispatcher(
        &self,
        repo: Option<&Repo>,
        options: &RunOptions,
        run: Arc<RunInfo>,
    ) -> Dispatcher {
        let (catalog, executor) = match repo {
            Some(repo) => (repo.catalog.clone(), repo.executor()),
            None => {
                let own = options.without_repo.clone();
                let executor = own.unwrap_or_else(|| self.no_actions());
                (self.inner.no_repo.clone(), executor)
            }
        };
        let cache = repo.map(|repo| repo.cache.used_as(options.cache));
        let policy = match repo {
            // A wrong policy of the repo is an error where the repo is loaded; a wrong one of the
            // run allows nothing.
            Some(repo) => repo.policy(&options.policy).unwrap_or_else(|error| {
                tracing::warn!("the policy is wrong, and no action may be called: {error}");
                options.policy.refusing()
            }),
            None => options.policy.without_repo(&self.inner.no_repo),
        };
        Dispatcher::for_run(run, catalog, policy, executor)
            .with_activity(self.activity().clone())
            .with_cache(cache)
            .with_answers(options.dry_run.clone(), options.recorder.clone())
            .with_observer(options.observer.clone())
            .with_hook(options.hook.clone())
            .with_secrets(options.secrets.clone())
            .of_repo(
                repo.map(|repo| repo.bundle.root.clone())
                    .unwrap_or_default(),
            )
    }

    /// What runs the host's own actions for runs without a repo that have an environment of their own, such as those of a
    /// tenant: for [`RunOptions::without_repo`](run::RunOptions). Connections and the like are of this one alone.
    #[must_use]
    pub fn without_repo(&self, environment: Environment) -> Arc<dyn Execute> {
        Arc::new(Executors::new(
            self.inner.programs.clone(),
            environment,
            PathBuf::new(),
            &self.inner.executors,
        ))
    }

    /// What brings git repositories to this machine, into folders of a data folder of their own.
    #[must_use]
    pub fn sources(&self, environment: Environment, data: PathBuf) -> Sources {
        let settings = self.inner.programs.sources();
        Sources::new(settings, environment, PathBuf::new()).in_data(data)
    }

    fn no_actions(&self) -> Arc<dyn Execute> {
        let make = || self.without_repo(self.inner.environment.clone());
        self.inner.no_actions.get_or_init(make).clone()
    }
}

/// Waits for what abandoned runs still have to clean up, such as containers, and removes what was
/// made for calls that did not come. It does so for all runtimes of the process, which is why it is
/// no method of one: a program calls it before it exits. Returns whether nothing is left.
pub fn finish(within: Duration) -> bool {
    programs::finish(within, within)
}

/// How long the temporary folders of a run that is to end at once may take to be removed.
const LATE_FOLDERS: Duration = Duration::from_millis(50);

/// The same for a program that is to end at once, at a limit or on a signal: an action may have filled
/// its temporary folder, so that removing it takes a minute. The next host removes what is left.
pub fn finish_at_once(within: Duration) -> bool {
    programs::finish(within, LATE_FOLDERS)
}
