//! Files made ready to run: read, compiled once on this machine, linked once in this process.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::cache::Cache;
use super::command::{Command, Compiled, Format, digest};
use super::compile;
use super::engine::Engine;
use kael_engine::executor::envyr::brief;
use kael_engine::failure::ActionError;
use kael_engine::permit;
use kael_engine::units::ByteSize;

/// A file may be this large.
const MAX_FILE: u64 = 256 << 20;

/// What tells that a file is still the one that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([i64; 7]);

/// A file as it was when it was last looked at.
struct Known {
    stamp: Stamp,
    command: Arc<OnceCell<Arc<Command>>>,
}

/// All that were loaded.
pub(super) struct Library {
    folder: PathBuf,
    known: Mutex<HashMap<PathBuf, Known>>,
}

impl Library {
    /// Compiled files are kept in `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            known: Mutex::default(),
        }
    }

    /// The command in a file, which errors call `name`. With a digest given, no other file is compiled or run.
    pub(super) async fn command(
        &self,
        engine: &Arc<Engine>,
        path: &Path,
        name: &str,
        pinned: Option<&str>,
    ) -> Result<Arc<Command>, ActionError> {
        let (file, stamp) = open(path, name)?;
        let cell = self.cell(path, stamp);
        let load = async || {
            let (engine, folder) = (engine.clone(), self.folder.clone());
            let (name, pinned) = (name.to_owned(), pinned.map(str::to_owned));
            // Reading and compiling take long, and the threads of the runtime are for what is short.
            // As long as this call or its future is there, it is worth waiting for.
            let wanted = Arc::new(());
            let still = Arc::downgrade(&wanted);
            let goes_on = move || still.strong_count() > 0;
            let work = move || load(&engine, &folder, file, &name, pinned.as_deref(), &goes_on);
            let loaded = permit::blocking(work).await;
            drop(wanted);
            loaded
                .unwrap_or_else(|problem| Err(ActionError::unavailable(problem.to_string(), None)))
                .map(Arc::new)
        };
        let command = cell.get_or_try_init(load).await?.clone();
        // Another definition may have loaded it, without a digest or with another.
        check_digest(&command.digest, name, pinned)?;
        Ok(command)
    }

    fn cell(&self, path: &Path, stamp: Stamp) -> Arc<OnceCell<Arc<Command>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(path) {
            Some(known) if known.stamp == stamp => known.command.clone(),
            _ => {
                let command = Arc::default();
                let new = Known {
                    stamp,
                    command: Arc::clone(&command),
                };
                known.insert(path.to_owned(), new);
                command
            }
        }
    }
}

fn open(path: &Path, name: &str) -> Result<(File, Stamp), ActionError> {
    let fail =
        |problem: io::Error| unavailable(format!("`{name}` cannot be read: {}", brief(&problem)));
    let mut options = File::options();
    // What is opened is checked, and opening a FIFO must not wait for a writer.
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(unavailable(format!("`{name}` is not a file")));
    }
    if metadata.len() > MAX_FILE {
        let largest = ByteSize::new(MAX_FILE);
        return Err(unavailable(format!("`{name}` has more than {largest}")));
    }
    Ok((file, Stamp::of(&metadata)))
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self([
            metadata.dev().cast_signed(),
            metadata.ino().cast_signed(),
            metadata.size().cast_signed(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ])
    }
}

fn load(
    engine: &Engine,
    folder: &Path,
    file: File,
    name: &str,
    pinned: Option<&str>,
    goes_on: &dyn Fn() -> bool,
) -> Result<Command, ActionError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|problem| unavailable(format!("`{name}` cannot be read: {}", brief(&problem))))?;
    let digest = digest(&bytes);
    check_digest(&digest, name, pinned)?;
    let Some(format) = Format::of(&bytes) else {
        let message = format!("`{name}` is neither a component nor a core module of WebAssembly");
        return Err(unavailable(message));
    };
    let compiled = compiled(engine, folder, &bytes, format, &digest, goes_on)
        .map_err(|problem| unavailable(format!("`{name}` {problem}")))?;
    Command::link(engine, &compiled, digest)
        .map_err(|problem| unavailable(format!("`{name}` {problem}")))
}

/// From the folder of compiled files, else from the compiler, by one at a time.
fn compiled(
    engine: &Engine,
    folder: &Path,
    bytes: &[u8],
    format: Format,
    digest: &str,
    goes_on: &dyn Fn() -> bool,
) -> Result<Compiled, String> {
    let entry = format!("{digest}-{}", compile::SETTINGS);
    let cache = match Cache::open(folder) {
        Ok(cache) => cache,
        Err(problem) => {
            tracing::warn!("{} is not used: {problem}", folder.display());
            let code = compile::compile(engine, bytes, format)?;
            return compile::load(engine, &code, format);
        }
    };
    let known = || {
        let code = cache.read(&entry)?;
        compile::load(engine, &code, format)
            // Made for a processor that has what this one has not.
            .inspect_err(|problem| tracing::info!("{entry} is made anew: {problem}"))
            .ok()
    };
    if let Some(compiled) = known() {
        return Ok(compiled);
    }
    // Without the lock it is compiled by more than one.
    let _lock = cache.lock(&entry, goes_on).ok();
    if !goes_on() {
        return Err("was not loaded: the call was cancelled".to_owned());
    }
    if let Some(compiled) = known() {
        return Ok(compiled);
    }
    let code = compile::compile(engine, bytes, format)?;
    if let Err(problem) = cache.write(&entry, &code) {
        tracing::warn!("{} cannot be written: {problem}", folder.display());
    }
    compile::load(engine, &code, format)
}

fn check_digest(digest: &str, name: &str, pinned: Option<&str>) -> Result<(), ActionError> {
    match pinned {
        Some(pinned) if pinned != digest => Err(unavailable(format!(
            "`{name}` is not the file that was pinned: its SHA-256 is {digest}, and `sha256` says {pinned}"
        ))),
        _ => Ok(()),
    }
}

fn unavailable(message: String) -> ActionError {
    ActionError::unavailable(message, None)
}
