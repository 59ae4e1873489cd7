//! Predicates of rules that are core modules: an engine of their own with fuel, whose instances
//! import what reads an event, and nothing else.
//!
//! `abi` is what they import, `instance` calls one within its limits. Their files are compiled as
//! those of actions are: in a bounded process, once per machine.

mod abi;
mod event;
mod instance;
mod state;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Module;

use super::cache::Cache;
use super::command::{self, Format};
use super::compile;
use super::compiler::{Compiler, PREDICATE};
use super::engine_config::predicate_config;
use kael_engine::bounds::Ticker;
use kael_engine::units::ByteSize;

pub use event::{Event, PatternKind};
pub use instance::{Answer, Instance, Stopped};

/// How long a predicate may take to be compiled.
const COMPILE: Duration = Duration::from_secs(60);

/// What one instance may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory, with its tables.
    pub memory: ByteSize,
    /// Steps of one evaluation, which also pay for what the host does for it.
    pub fuel: u64,
    /// Time of one evaluation.
    pub evaluation: Duration,
    /// Time of instantiating it and of `pred_init`.
    pub load: Duration,
}

/// The engine of all predicates of a process.
pub struct Predicates {
    engine: wasmtime::Engine,
    ticker: Ticker,
    compiler: Compiler,
    folder: PathBuf,
}

/// The machine code of a predicate.
#[derive(Clone)]
pub struct Compiled(Module);

impl Predicates {
    /// An engine that keeps what it compiles below the data folder. `program` is the `kael-host`
    /// that compiles.
    ///
    /// # Errors
    /// Why WebAssembly cannot be run on this machine.
    pub fn new(data: PathBuf, program: Option<PathBuf>) -> Result<Arc<Self>, String> {
        let failed = |error: wasmtime::Error| format!("WebAssembly cannot be run here: {error:#}");
        let engine = wasmtime::Engine::new(&predicate_config()).map_err(failed)?;
        let ticker = Ticker::start(&engine).map_err(|error| failed(error.into()))?;
        Ok(Arc::new(Self {
            engine,
            ticker,
            folder: data.join("wasm"),
            compiler: Compiler { program, data },
        }))
    }

    /// A predicate, compiled: from the cache, or anew.
    ///
    /// # Errors
    /// Why it cannot be, as a fragment.
    pub async fn compile(&self, bytes: &[u8], name: &str) -> Result<Compiled, String> {
        match Format::of(bytes) {
            Some(Format::Module) => {}
            Some(Format::Component) => {
                return Err("is a component, and a predicate is a core module".to_owned());
            }
            None => return Err("is no module of WebAssembly".to_owned()),
        }
        let entry = format!(
            "{}-{}-{PREDICATE}",
            command::digest(bytes),
            compile::SETTINGS
        );
        let cache = Cache::open(&self.folder).ok();
        let known = cache.as_ref().and_then(|cache| cache.read(&entry));
        if let Some(module) = known.and_then(|code| compile::module(&self.engine, &code).ok()) {
            return Ok(Compiled(module));
        }
        let code = self
            .compiler
            .compile(bytes.to_vec(), PREDICATE, name, COMPILE)
            .await
            .map_err(|error| fragment(&error.message, name))?;
        if let Some(cache) = cache
            && let Ok(Some(_lock)) = cache.try_lock(&entry)
        {
            // Without it the next process compiles it again.
            cache.write(&entry, &code).ok();
        }
        let module = compile::module(&self.engine, &code).map_err(|error| error.to_string())?;
        Ok(Compiled(module))
    }
}

/// A message without the file's name, which its caller adds.
fn fragment(message: &str, name: &str) -> String {
    let rest = message.strip_prefix(&format!("`{name}` "));
    rest.unwrap_or(message).to_owned()
}
