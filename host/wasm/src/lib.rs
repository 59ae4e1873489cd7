//! Runs actions that are WASI commands, in WebAssembly instances in this process.
//!
//! A command reads JSON on stdin and writes JSON on stdout like any other, and has of the world
//! what its definition names: `world` makes that, `reach` and `lookup` guard the network, `http`
//! makes requests over it. `library` makes files ready to run, with `cache` for what was compiled
//! before; `instance` runs one, and `outcome` says what its end means. `predicate` runs the
//! predicates of rules, which are no commands.

mod cache;
mod command;
mod compile;
mod compiler;
mod engine;
mod engine_config;
mod fifo_unblock;
mod file_error;
mod http;
mod instance;
mod lookup;
mod module_loader;
mod outcome;
mod pipes;
pub mod predicate;
mod state;
mod wasi_ctx;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::{JoinError, JoinHandle};

use command::WasiCommand;
use compiler::Compiler;
pub use compiler::{WORD, compile_stdin};
use engine::Engine;
pub use file_error::FileError;
use instance::{Allowed, Ended};
use kael_engine::activity::Lines;
use kael_engine::catalog::{Definition, Executor};
use kael_engine::environment::Environment;
use kael_engine::executor::adapters;
use kael_engine::executor::granted::judge_program;
use kael_engine::executor::source::{Sources, inside};
use kael_engine::executor::{
    Execute, Execution, ExecutorFactory, Imports, Invocation, RepoContext, STDERR_TAIL, STDOUT_CAP,
};
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::permit::Permit;
use kael_engine::units::ByteSize;
use kael_net::{NetworkPolicy, Trust};
use module_loader::Library;
use outcome::Traces;
use pipes::Pipe;
use wasi_ctx::Streams;

/// Memory of an instance without `limits.memory`.
const DEFAULT_MEMORY: ByteSize = ByteSize::mib(256);

/// For the fuzz targets: what a file is found to be, and what it imports when it could run. Nothing
/// is kept.
#[cfg(fuzzing)]
pub fn load_for_fuzzing(file: &[u8]) -> Result<Vec<String>, FileError> {
    use std::sync::LazyLock;

    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().expect("an engine"));
    let format = command::Format::of(file).ok_or(FileError::Format)?;
    let code = compile::compile(&ENGINE.engine, file, format)?;
    let compiled = compile::load(&ENGINE, &code, format)?;
    let command = WasiCommand::link(&ENGINE, &compiled, command::digest(file))?;
    Ok(command.imports)
}

/// Runs the WASI commands of one actions repo.
pub struct Wasm {
    sources: Arc<Sources>,
    environment: Environment,
    repo: PathBuf,
    library: Library,
    trust: Arc<Trust>,
    engine: SharedEngine,
}

/// The engine of all repos of one runtime, made when the first action runs.
type SharedEngine = Arc<OnceCell<Arc<Engine>>>;

impl Wasm {
    fn new(repo: RepoContext, engine: SharedEngine) -> Self {
        let RepoContext {
            root: repo,
            environment,
            sources,
            compiler: program,
            programs: _,
        } = repo;
        let data = environment.data_folder();
        let folder = data.join("wasm");
        let library = Library::new(folder, Compiler { program, data });
        let trust = Arc::new(Trust::new(&environment));
        Self {
            sources,
            environment,
            repo,
            library,
            trust,
            engine,
        }
    }

    async fn engine(&self) -> Result<&Arc<Engine>, ActionError> {
        let make = async || Engine::new().map(Arc::new);
        self.engine.get_or_try_init(make).await
    }

    /// The definition's file, linked, if the definition allows all its imports.
    async fn command(
        &self,
        engine: &Arc<Engine>,
        definition: &Definition,
    ) -> Result<Arc<WasiCommand>, ActionError> {
        let source = self
            .sources
            .fetch(&definition.source, definition.timeout)
            .await?;
        let folder = match &definition.subdir {
            None => source.clone(),
            Some(subdir) => inside(&source, &source, subdir, "subdir")?,
        };
        // Every definition for this executor has an entry point.
        let name = definition.entrypoint.as_deref().unwrap_or_default();
        let path = inside(&source, &folder, name, "entrypoint")?;
        judge_program(&self.repo, &path)
            .map_err(|why| ActionError::unavailable(format!("`{name}` {why}"), None))?;
        let pinned = definition.grants.sha256.as_deref();
        let within = compiler::time(definition.timeout.duration());
        let command = self
            .library
            .command(engine, &path, name, pinned, within)
            .await?;
        match command.missing(&definition.grants) {
            None => Ok(command),
            Some(missing) => {
                let (imports, field) = (missing.imports.join(", "), missing.field);
                let message = format!(
                    "`{name}` needs `{field}` in its definition, for what it imports: {imports}"
                );
                Err(ActionError::unavailable(message, None))
            }
        }
    }

    /// What the definition's file imports, once it is sure that it can be run and is given all that
    /// it needs. Compiles it where that was not done before.
    async fn checked_imports(&self, definition: &Definition) -> Result<Vec<String>, ActionError> {
        let engine = self.engine().await?;
        let command = self.command(engine, definition).await?;
        Ok(command.imports.clone())
    }

    /// Runs a call to its end. Dropping the future ends the instance.
    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let definition = invocation.definition;
        let given = invocation.encode()?;
        let engine = self.engine().await?;
        let command = self.command(engine, definition).await?;
        let stdout = Pipe::capped(STDOUT_CAP);
        let stderr = Pipe::tail(STDERR_TAIL).seen(Lines::current());
        let streams = Streams {
            given,
            stdout: stdout.clone(),
            stderr: stderr.clone(),
        };
        let network = NetworkPolicy::new(&definition.grants.network, "the definition's `network`");
        let hidden = || self.sources.hidden();
        let (environment, repo) = (&self.environment, &self.repo);
        let wasi = wasi_ctx::make(definition, environment, repo, streams, &network, hidden)?;
        let allowed = Allowed {
            memory: definition.limits.memory.unwrap_or(DEFAULT_MEMORY),
            cpu: definition.limits.cpu,
        };
        // The semaphore is never closed.
        let turn = engine.turns.clone().acquire_owned().await.ok();
        let running = {
            let (engine, network, trust) = (engine.clone(), network.clone(), self.trust.clone());
            let permit = Permit::current();
            async move {
                let _permit = permit;
                let ended = instance::run(&engine, &command, wasi, network, trust, allowed).await;
                drop(turn);
                ended
            }
        };
        let dirs = definition.grants.dirs.iter();
        let folders = dirs.map(|dir| self.repo.join(&dir.path)).collect();
        let task = Task::start(running, folders);
        let ended = task.within(definition.timeout.duration()).await;
        let traces = Traces {
            stdout: stdout.take(),
            overflowed: stdout.overflowed(),
            stderr: stderr.take(),
            advice: network.advice(),
        };
        match ended {
            None => Err(outcome::timed_out(definition.timeout, &traces)),
            Some(Ok(ended)) => {
                let ok_exit = &definition.adapter.ok_exit;
                let printed = outcome::read(ended, allowed, traces, ok_exit)?;
                adapters::decode_output(&definition.adapter, printed, STDOUT_CAP).await
            }
            Some(Err(error)) => Err(ActionError::new(ErrorKind::Failed, error.to_string())),
        }
    }
}

impl Execute for Wasm {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }

    fn imports<'a>(&'a self, definition: &'a Definition) -> Imports<'a> {
        Box::pin(self.checked_imports(definition))
    }
}

/// Gives the repos of one runtime the executor `wasm`. They share one engine, and so one bound on
/// instances at the same time.
#[derive(Clone, Default)]
pub struct WasmFactory {
    engine: SharedEngine,
}

impl WasmFactory {
    /// A factory whose repos share an engine with each other, and with those of no other factory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl ExecutorFactory for WasmFactory {
    fn executor(&self) -> Executor {
        Executor::Wasm
    }

    fn for_repo(&self, repo: RepoContext) -> Arc<dyn Execute> {
        Arc::new(Wasm::new(repo, self.engine.clone()))
    }
}

/// A running instance. Dropping this ends it at the next tick.
struct Task {
    handle: JoinHandle<Option<Ended>>,
    /// Its receiver notices that this is dropped.
    _over: oneshot::Sender<()>,
    /// The folders that it can use.
    folders: Vec<PathBuf>,
}

impl Task {
    /// Runs an instance on a thread of its own. Its computing time does not count for the script,
    /// and an instruction that takes seconds, which no tick interrupts, holds up nothing else: the
    /// threads that drive runs look at their limits and at signals.
    fn start(running: impl Future<Output = Ended> + Send + 'static, folders: Vec<PathBuf>) -> Self {
        let (over, is_over) = oneshot::channel::<()>();
        let runtime = Handle::current();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = is_over => None,
                    ended = running => Some(ended),
                }
            })
        };
        Self {
            handle: tokio::task::spawn_blocking(work),
            _over: over,
            folders,
        }
    }

    /// None if it takes longer.
    async fn within(mut self, time: Duration) -> Option<Result<Ended, JoinError>> {
        match tokio::time::timeout(time, &mut self.handle).await {
            // It ends without an answer only when this is dropped.
            Ok(Ok(ended)) => ended.map(Ok),
            Ok(Err(error)) => Some(Err(error)),
            Err(_) => None,
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.handle.is_finished() {
            return;
        }
        // One that has no thread yet is not begun.
        self.handle.abort();
        fifo_unblock::after(
            self.handle.abort_handle(),
            std::mem::take(&mut self.folders),
        );
    }
}
