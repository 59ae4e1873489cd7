//! A host in this process, for measurements in microseconds.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::catalog::Executor;
use kael_engine::executor::{Execute, Execution, ExecutorFactory, Invocation, RepoContext};
use kael_engine::limits::Limits;
use kael_engine::runtime::{Repo, RepoOptions, RunOptions, Runtime};
use kael_engine::sandbox::{Ending, Script};
use tokio::runtime::Builder;

use super::measure::Result;

/// Answers with its parameters, after this delay.
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

/// Gives a repo an executor of the benchmark's.
struct Answering(Arc<dyn Execute>);

impl ExecutorFactory for Answering {
    fn executor(&self) -> Executor {
        Executor::Native
    }

    fn for_repo(&self, _: RepoContext) -> Arc<dyn Execute> {
        self.0.clone()
    }
}

/// A runtime, and the folder of a repo whose actions an executor of the benchmark's answers.
pub(crate) struct Hosted {
    pub(crate) kael: Runtime,
    pub(crate) limits: Limits,
    pub(crate) runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Hosted {
    /// A host with this many actions (`a1` and so on) and threads. The caller's thread is not one
    /// of them.
    pub(crate) fn new(instances: u32, actions: usize, threads: usize) -> Result<Self> {
        let kael = Runtime::builder().instances(instances).build()?;
        let runtime = match threads {
            1 => Builder::new_current_thread().enable_all().build()?,
            _ => Builder::new_multi_thread()
                .worker_threads(threads)
                .enable_all()
                .build()?,
        };
        let folder = tempfile::tempdir()?;
        write_repo(folder.path(), actions)?;
        Ok(Self {
            kael,
            limits: Limits::default(),
            runtime,
            folder,
        })
    }

    /// Loads another repo.
    pub(crate) fn load(&self, folder: &Path) -> Result<Arc<Repo>> {
        let loading = self.kael.repo(folder, RepoOptions::default());
        Ok(self.runtime.block_on(loading)?)
    }

    /// The repo, with an executor that answers its calls.
    pub(crate) fn repo(&self, executor: Arc<dyn Execute>) -> Result<Arc<Repo>> {
        let options = RepoOptions {
            executors: vec![Arc::new(Answering(executor))],
            ..RepoOptions::default()
        };
        let loading = self.kael.repo(self.folder.path(), options);
        Ok(self.runtime.block_on(loading)?)
    }

    /// Runs a script to its end. Returns the time it took.
    pub(crate) fn run(
        &self,
        repo: Option<&Arc<Repo>>,
        source: &str,
        args: Vec<String>,
    ) -> Result<Duration> {
        let start = Instant::now();
        self.runtime.block_on(self.running(repo, source, args))?;
        Ok(start.elapsed())
    }

    /// The same as a future, to run several at once.
    pub(crate) async fn running(
        &self,
        repo: Option<&Arc<Repo>>,
        source: &str,
        args: Vec<String>,
    ) -> Result<()> {
        let script = Script {
            name: "bench".into(),
            source: source.into(),
            args,
            ..Script::default()
        };
        let options = RunOptions {
            limits: self.limits.clone(),
            ..RunOptions::default()
        };
        match self.kael.run(repo, script, options).await.ending {
            Ending::Done(_) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

/// Writes a repo with this many actions, each in its own file.
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
