//! Reads, compiles and links files: compiled once per machine, linked once per process.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::cache::Cache;
use super::command::{Compiled, Format, WasiCommand, digest};
use super::compiler::Compiler;
use super::engine::Engine;
use super::{compile, compiler};
use kael_engine::executor::lock::Lock;
use kael_engine::executor::source::brief;
use kael_engine::failure::ActionError;
use kael_engine::permit;
use kael_engine::units::ByteSize;

/// Bytes that a file may have.
const MAX_FILE: u64 = 256 << 20;
/// How long a call waits while another compiles the same file.
const MOST_WAIT: Duration = Duration::from_secs(60);

/// Shows whether a file has changed since it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([i64; 7]);

/// A file, with its state when it was last read.
struct Known {
    stamp: Stamp,
    command: Arc<OnceCell<Arc<WasiCommand>>>,
}

/// All files that were loaded.
pub(super) struct Library {
    folder: PathBuf,
    compiler: Compiler,
    known: Mutex<HashMap<PathBuf, Known>>,
}

impl Library {
    /// Keeps compiled files in `folder`.
    pub(super) fn new(folder: PathBuf, compiler: Compiler) -> Self {
        Self {
            folder,
            compiler,
            known: Mutex::default(),
        }
    }

    /// The command in a file. `name` is its name in errors. With a pinned digest, no other file is
    /// compiled or run. Fails as late when the time is over.
    pub(super) async fn command(
        &self,
        engine: &Arc<Engine>,
        path: &Path,
        name: &str,
        pinned: Option<&str>,
        within: Duration,
    ) -> Result<Arc<WasiCommand>, ActionError> {
        let (file, stamp) = open(path, name)?;
        let cell = self.cell(path, stamp);
        let deadline = Instant::now() + within;
        let load = async || {
            let loading = self.load(engine, file, name, pinned, deadline);
            loading.await.map(Arc::new)
        };
        // Another call may be loading the file.
        let command = tokio::time::timeout_at(deadline, cell.get_or_try_init(load)).await;
        let command = command.map_err(|_| compiler::late(name, within))??.clone();
        // Another definition may have loaded it, with another digest or none.
        check_digest(&command.digest, name, pinned)?;
        Ok(command)
    }

    /// Reads and links a file. Takes its machine code from the cache, or compiles it, one file at a
    /// time.
    async fn load(
        &self,
        engine: &Arc<Engine>,
        file: File,
        name: &str,
        pinned: Option<&str>,
        deadline: Instant,
    ) -> Result<WasiCommand, ActionError> {
        let read = {
            let (name, pinned) = (name.to_owned(), pinned.map(str::to_owned));
            blocking(move || read(file, &name, pinned.as_deref())).await??
        };
        let entry = format!("{}-{}", read.digest, compile::SETTINGS);
        let known = {
            let (engine, folder, entry) = (engine.clone(), self.folder.clone(), entry.clone());
            let format = read.format;
            move || {
                let cache = Cache::open(&folder)
                    .inspect_err(|error| {
                        tracing::warn!("{} is not used: {error}", folder.display())
                    })
                    .ok()?;
                let found = from_cache(&engine, &cache, &entry, format);
                Some((cache, found))
            }
        };
        let mut cache = None;
        if let Some((opened, found)) = blocking(known.clone()).await? {
            if let Some(compiled) = found {
                return link(engine, compiled, name, read.digest).await;
            }
            cache = Some(opened);
        }
        let lock = match &cache {
            Some(cache) => turn(cache, &entry, deadline).await,
            None => None,
        };
        // Another process held the lock before, and may have made the entry.
        if lock.is_some()
            && let Some((_, Some(compiled))) = blocking(known).await?
        {
            return link(engine, compiled, name, read.digest).await;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let code = self
            .compiler
            .compile(read.bytes, read.format.word(), name, left)
            .await?;
        let work = {
            let (engine, folder) = (engine.clone(), self.folder.clone());
            move || {
                if let Some(cache) = cache
                    && let Err(error) = cache.write(&entry, &code)
                {
                    tracing::warn!("{} cannot be written: {error}", folder.display());
                }
                compile::load(&engine, &code, read.format)
            }
        };
        let compiled = blocking(work).await?;
        drop(lock);
        let compiled = compiled.map_err(|error| unavailable(format!("`{name}` {error}")))?;
        link(engine, compiled, name, read.digest).await
    }

    fn cell(&self, path: &Path, stamp: Stamp) -> Arc<OnceCell<Arc<WasiCommand>>> {
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
        |error: io::Error| unavailable(format!("`{name}` cannot be read: {}", brief(&error)));
    let mut options = File::options();
    // The kind of file is checked after opening. Opening a FIFO must not wait for a writer.
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

/// A file's bytes and format.
struct Read {
    bytes: Vec<u8>,
    digest: String,
    format: Format,
}

fn read(file: File, name: &str, pinned: Option<&str>) -> Result<Read, ActionError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unavailable(format!("`{name}` cannot be read: {}", brief(&error))))?;
    let digest = digest(&bytes);
    check_digest(&digest, name, pinned)?;
    let Some(format) = Format::of(&bytes) else {
        let message = format!("`{name}` is neither a component nor a core module of WebAssembly");
        return Err(unavailable(message));
    };
    Ok(Read {
        bytes,
        digest,
        format,
    })
}

fn from_cache(engine: &Engine, cache: &Cache, entry: &str, format: Format) -> Option<Compiled> {
    let code = cache.read(entry)?;
    compile::load(engine, &code, format)
        // The entry was made for a processor with other features.
        .inspect_err(|error| tracing::info!("{entry} is made anew: {error}"))
        .ok()
}

/// Waits a while for the lock of an entry. Without the lock, several processes may make the same
/// entry.
async fn turn(cache: &Cache, entry: &str, deadline: Instant) -> Option<Lock> {
    let left = deadline.saturating_duration_since(Instant::now());
    let patience = Instant::now() + MOST_WAIT.min(left / 2);
    loop {
        match cache.try_lock(entry) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) if Instant::now() < patience => {}
            Ok(None) | Err(_) => return None,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Links a compiled file on the blocking pool.
async fn link(
    engine: &Arc<Engine>,
    compiled: Compiled,
    name: &str,
    digest: String,
) -> Result<WasiCommand, ActionError> {
    let engine = engine.clone();
    let linked = blocking(move || WasiCommand::link(&engine, &compiled, digest)).await?;
    linked.map_err(|error| unavailable(format!("`{name}` {error}")))
}

/// Runs slow work on the blocking pool, because the runtime's own threads are for short work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ActionError> {
    let done = permit::blocking(work).await;
    done.map_err(|error| ActionError::unavailable(error.to_string(), None))
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
