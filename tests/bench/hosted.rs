//! The host within this process: what is measured in microseconds is not to have a process around it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::app::Repo;
use kael_engine::executor::{Execute, Execution, Invocation};
use kael_engine::gate::{Dispatcher, Policy};
use kael_engine::limits::Limits;
use kael_engine::sandbox::{Ending, Output, PreparedRepo, Sandbox, Script};
use tokio::runtime::{Builder, Runtime};

use super::measure::Result;

/// Answers with its parameters, after a while if it is told to.
pub(crate) struct Echo(pub(crate) Duration);

impl Execute for Echo {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move {
            if !self.0.is_zero() {
                tokio::time::sleep(self.0).await;
            }
            Ok(invocation.params.into_bytes())
        })
    }
}

/// Answers with null.
pub(crate) struct Nothing;

impl Execute for Nothing {
    fn execute<'a>(&'a self, _: Invocation<'a>) -> Execution<'a> {
        Box::pin(async { Ok(b"null".to_vec()) })
    }
}

/// A sandbox and a repo whose actions an executor of the benchmark's answers.
pub(crate) struct Hosted {
    pub(crate) sandbox: Sandbox,
    pub(crate) repo: Repo,
    pub(crate) limits: Limits,
    pub(crate) runtime: Runtime,
}

impl Hosted {
    /// With so many actions, `a1` and so on, in a process of so many threads; none of them is the caller's own.
    pub(crate) fn new(instances: u32, actions: usize, threads: usize) -> Result<Self> {
        let sandbox = Sandbox::new(instances)?;
        let limits = Limits::default();
        let runtime = match threads {
            1 => Builder::new_current_thread().enable_all().build()?,
            _ => Builder::new_multi_thread()
                .worker_threads(threads)
                .enable_all()
                .build()?,
        };
        let folder = tempfile::tempdir()?;
        write_repo(folder.path(), actions)?;
        let output = Output::in_memory();
        let loading = Repo::load(&sandbox, folder.path(), &limits, &output);
        let repo = runtime.block_on(loading)?;
        Ok(Self {
            sandbox,
            repo,
            limits,
            runtime,
        })
    }

    /// Loads another repo.
    pub(crate) fn load(&self, folder: &Path) -> Result<Repo> {
        let output = Output::in_memory();
        let loading = Repo::load(&self.sandbox, folder, &self.limits, &output);
        Ok(self.runtime.block_on(loading)?)
    }

    /// A gate to the repo's actions.
    pub(crate) fn gate(&self, executor: Arc<dyn Execute>) -> Arc<Dispatcher> {
        let catalog = self.repo.catalog.clone();
        Arc::new(Dispatcher::new(catalog, Policy::default(), executor))
    }

    /// Runs a script to its end, and says how long that took.
    pub(crate) fn run(
        &self,
        repo: Option<&PreparedRepo>,
        gate: &Arc<Dispatcher>,
        source: &str,
        args: Vec<String>,
    ) -> Result<Duration> {
        let start = Instant::now();
        self.runtime
            .block_on(self.running(repo, gate, source, args))?;
        Ok(start.elapsed())
    }

    /// The same, to be run beside others.
    pub(crate) async fn running(
        &self,
        repo: Option<&PreparedRepo>,
        gate: &Arc<Dispatcher>,
        source: &str,
        args: Vec<String>,
    ) -> Result<()> {
        let script = Script {
            name: "bench".into(),
            source: source.into(),
            args,
            ..Script::default()
        };
        let output = Output::in_memory();
        let report = self
            .sandbox
            .run_script(repo, script, &self.limits, output, gate.clone())
            .await;
        match report.ending {
            Ending::Done(_) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

/// A repo of so many actions, each in a file of its own.
pub(crate) fn write_repo(folder: &Path, actions: usize) -> Result<()> {
    let names: Vec<String> = (1..=actions)
        .map(|n| format!("  a{n} = require('a{n}'),\n"))
        .collect();
    fs::write(
        folder.join("init.lua"),
        format!("return {{\n{}}}\n", names.concat()),
    )?;
    for n in 1..=actions {
        fs::write(
            folder.join(format!("a{n}.lua")),
            "return define_action({ source = '.', executor = 'native' })\n",
        )?;
    }
    Ok(())
}
