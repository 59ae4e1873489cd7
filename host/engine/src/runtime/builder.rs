//! What a program decides about its runtime, once.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use super::{Inner, Runtime};
use crate::activity::ActivityLog;
use crate::catalog::{Catalog, Library};
use crate::environment::Environment;
use crate::executor::ExecutorFactory;
use crate::executor::programs;
use crate::sandbox::{EngineError, MAX_WAITING, Sandbox};

/// Settings for a [`Runtime`].
pub struct RuntimeBuilder {
    instances: u32,
    max_waiting: usize,
    max_calls: Option<u32>,
    environment: Environment,
    programs: programs::Settings,
    executors: Vec<Arc<dyn ExecutorFactory>>,
    library: Option<Arc<Library>>,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self {
            instances: 8,
            max_waiting: MAX_WAITING,
            max_calls: None,
            environment: Environment::default(),
            programs: programs::Settings::default(),
            executors: Vec::new(),
            library: None,
        }
    }
}

impl RuntimeBuilder {
    /// Instances at the same time. A run needs one, loading a repo needs one, and a session keeps
    /// one. Each reserves address space, and memory only while it is used. There is at least one.
    #[must_use]
    pub fn instances(self, instances: u32) -> Self {
        Self { instances, ..self }
    }

    /// Runs that may wait for an instance: 1024 unless this says otherwise. With 0, a run that
    /// finds no instance is refused as [`Busy`](crate::sandbox::Busy).
    #[must_use]
    pub fn max_waiting(self, max_waiting: usize) -> Self {
        Self {
            max_waiting,
            ..self
        }
    }

    /// Calls of actions in flight at the same time, of all runs together; more wait their turn, as
    /// they do for a run's own limit. One may be in flight in any case. Unless this is called, only
    /// the runs' own limits hold.
    #[must_use]
    pub fn max_calls_in_flight(self, calls: u32) -> Self {
        Self {
            max_calls: Some(calls),
            ..self
        }
    }

    /// The variables that the program was started with, as far as actions may be given them. The
    /// engine never reads those of the process itself; without them it finds no programs.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self {
            environment,
            ..self
        }
    }

    /// How native actions are fetched, prepared, confined and run.
    #[must_use]
    pub fn programs(self, programs: programs::Settings) -> Self {
        Self { programs, ..self }
    }

    /// Where the runtime notes what it does. Without a log, noting costs nothing.
    #[must_use]
    pub fn activity(mut self, activity: ActivityLog) -> Self {
        self.programs.activity = activity;
        self
    }

    /// One more executor, for all repos. It replaces the executor of the engine that has its name.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn ExecutorFactory>) -> Self {
        self.executors.push(executor);
        self
    }

    /// Actions and Lua beside those of every repo, such as those of `kael-stdlib`, whose executor is
    /// added by itself.
    #[must_use]
    pub fn library(self, library: Arc<Library>) -> Self {
        Self {
            library: Some(library),
            ..self
        }
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// When the address space or the system does not allow it.
    pub fn build(self) -> Result<Runtime, EngineError> {
        let sandbox = Sandbox::new(self.instances.max(1), self.max_waiting)?
            .with_library(self.library.clone());
        let inner = Inner {
            sandbox: Arc::new(sandbox),
            programs: self.programs,
            environment: self.environment,
            executors: self.executors,
            calls: self
                .max_calls
                .map(|calls| Arc::new(Semaphore::new(calls.max(1) as usize))),
            no_repo: Arc::new(Catalog::default().with_library(self.library)),
            no_actions: OnceLock::new(),
        };
        Ok(Runtime {
            inner: Arc::new(inner),
        })
    }
}
