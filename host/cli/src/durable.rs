//! A run that is written down: opens the store for it, and says how it can go on.

#[cfg(feature = "store")]
pub(super) use with_store::{RunStore, problem, store, store_in};
#[cfg(not(feature = "store"))]
pub(super) use without_store::store;

use super::report::Problem;
use kael_engine::runtime::RunReport;
use kael_engine::sandbox::{Ending, Suspension};

/// What helps a run that has stopped.
pub(super) fn hinted(error: Problem, report: &RunReport) -> Problem {
    let id = report.run.id;
    match &report.ending {
        Ending::Suspended(Suspension::InDoubt(doubt), _) => {
            let call = doubt.call;
            error.hinted(format!(
                "find out whether it took place (key {}), then kael-host runs resolve {id} {call} done|failed|retry, and \
                 kael-host runs resume {id}",
                doubt.key
            ))
        }
        Ending::Suspended(Suspension::Diverged(_), _) => error.hinted(format!(
            "kael-host runs show {id}; a run goes on with the Kael that began it"
        )),
        Ending::Suspended(Suspension::Waiting(pause), _) => error.hinted(format!(
            "kael-host runs work goes on with what is due, and kael-host runs resume {id} with this run{}",
            match pause.what.is_empty() {
                true => String::new(),
                false => format!(
                    "; kael-host runs signal {id} NAME JSON sends a signal, kael-host runs approvals prints what waits for a yes"
                ),
            }
        )),
        Ending::Suspended(..) => resumable(error, report),
        _ => error,
    }
}

/// The same with the command that goes on with the run.
pub(super) fn resumable(error: Problem, report: &RunReport) -> Problem {
    error.hinted(format!("kael-host runs resume {} goes on", report.run.id))
}

#[cfg(feature = "store")]
mod with_store {
    use std::collections::BTreeMap;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::super::args::Bounds;
    use super::super::config::{Config, Key, Value};
    use super::super::counts::FILE;
    use super::super::sanitize::with_causes;
    use super::Problem;
    use kael_engine::environment::Environment;
    use kael_engine::run_info::RunInfo;
    use kael_engine::runtime::{LoadError, Repo, RunOptions, RunReport};
    use kael_engine::sandbox::Script;
    use kael_runs::{Begun, Rules, Runs, RunsError, StoredRepo};

    /// The store of runs.
    pub(in super::super) struct RunStore(pub(in super::super) Runs);

    /// A run that is being written down.
    pub(in super::super) struct Durable {
        runs: Runs,
        begun: Begun,
    }

    /// The store, if it is wanted. Nothing is opened otherwise.
    pub(in super::super) fn store(
        is_wanted: bool,
        environment: &Environment,
    ) -> Result<Option<RunStore>, Box<Problem>> {
        match is_wanted {
            true => Ok(Some(store_in(&environment.data_folder())?)),
            false => Ok(None),
        }
    }

    /// The store in a data folder.
    pub(in super::super) fn store_in(folder: &Path) -> Result<RunStore, Box<Problem>> {
        let runs = Runs::open(&folder.join(FILE)).map_err(|error| Box::new(problem(&error)))?;
        Ok(RunStore(runs))
    }

    /// What cannot be done with the store, in words.
    pub(in super::super) fn problem(error: &RunsError) -> Problem {
        Problem::usage(with_causes(error))
    }

    /// What the run is held to from wherever it goes on: the configuration of another folder may say less.
    fn rules(config: &Config, bounds: &Bounds) -> io::Result<Rules> {
        let absolute = |path: &PathBuf| std::path::absolute(path);
        let policies = match config.get(Key::Policy).map(|setting| &setting.value) {
            Some(Value::Paths(paths)) => paths.iter().map(absolute).collect::<io::Result<_>>()?,
            _ => Vec::new(),
        };
        Ok(Rules {
            policies,
            deny: config.list(Key::Deny),
            read_only: bounds.read_only,
            audit: bounds.audit.as_ref().map(absolute).transpose()?,
            confinement: config.confinement(),
        })
    }

    impl RunStore {
        /// Writes a run down that is about to begin.
        pub(in super::super) fn begin(
            &self,
            options: &mut RunOptions,
            script: &Script,
            repo: Option<&Repo>,
            (config, bounds): (&Config, &Bounds),
            labels: &BTreeMap<String, String>,
        ) -> Result<Durable, LoadError> {
            let info = RunInfo::new(options.tenant.clone());
            let rules = rules(config, bounds).map_err(|error| {
                LoadError::Fault(format!("the working folder is not known: {error}"))
            })?;
            let failed = |error: RunsError| LoadError::Fault(with_causes(&error));
            let repo = repo.map(StoredRepo::of).transpose().map_err(failed)?;
            let repo = repo.map(Arc::new);
            let limits = &options.limits;
            let begun = self.0.begin(&info, script, limits, repo, rules, labels);
            let begun = begun.map_err(failed)?;
            options.journal = Some(begun.journal.clone());
            options.run = Some(info);
            Ok(self.going_on(begun))
        }

        /// A run that this process has.
        pub(in super::super) fn going_on(&self, begun: Begun) -> Durable {
            let runs = self.0.clone();
            Durable { runs, begun }
        }
    }

    impl Durable {
        /// Writes down how it ended. A run whose end cannot be written is continued from its journal.
        pub(in super::super) async fn conclude(self, report: &RunReport) {
            if let Err(error) = self.runs.conclude(self.begun, report).await {
                tracing::warn!(
                    "the end of the run is not written down: {}",
                    with_causes(&error)
                );
            }
        }
    }
}

#[cfg(not(feature = "store"))]
mod without_store {
    use std::collections::BTreeMap;

    use super::super::args::Bounds;
    use super::super::config::Config;
    use super::Problem;
    use kael_engine::environment::Environment;
    use kael_engine::runtime::{LoadError, Repo, RunOptions, RunReport};
    use kael_engine::sandbox::Script;

    /// There is none in this build.
    pub(in super::super) enum RunStore {}

    /// There is none in this build.
    pub(in super::super) enum Durable {}

    pub(in super::super) fn store(
        is_wanted: bool,
        _: &Environment,
    ) -> Result<Option<RunStore>, Box<Problem>> {
        match is_wanted {
            true => Err(Box::new(Problem::usage(
                "this kael-host was built without the feature `store`, and keeps no journals"
                    .to_owned(),
            ))),
            false => Ok(None),
        }
    }

    impl RunStore {
        pub(in super::super) fn begin(
            &self,
            _: &mut RunOptions,
            _: &Script,
            _: Option<&Repo>,
            _: (&Config, &Bounds),
            _: &BTreeMap<String, String>,
        ) -> Result<Durable, LoadError> {
            match *self {}
        }
    }

    impl Durable {
        pub(in super::super) async fn conclude(self, _: &RunReport) {
            match self {}
        }
    }
}
