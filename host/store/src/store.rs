//! The door: a store is opened once, and written and read through closures.

use std::path::Path;
use std::sync::Arc;

use crate::file::{Files, Mode, RunLock};
use crate::reader::Readers;
use crate::writer::Writer;
use crate::{Pending, StoreError, Tx, migrations};

/// One file with what Kael must not lose. Clones are the same store; the file is closed with the
/// last of them.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: Readers,
    // Dropped after the readers: the last connection moves what the log has into the file.
    writer: Writer,
    files: Files,
}

impl Store {
    /// Opens a file, and makes it if there is none (mode 0600, in a folder of mode 0700). Brings the
    /// tables up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is locked against this use, or is of a newer Kael.
    pub fn open(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let files = Files::open(path, mode)?;
        // Two processes may find the same new or old file: the second waits here, and has nothing to do.
        let alone = files.alone()?;
        let mut connection = files.connect()?;
        migrations::apply(&mut connection, path)?;
        drop(alone);
        let writer = Writer::start(connection, files.identity()?, path.to_owned())?;
        let readers = Readers::new(path.to_owned());
        Ok(Self(Arc::new(Inner {
            readers,
            writer,
            files,
        })))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.files.path()
    }

    /// Queues work that writes, and returns at once. The future is ready when the work is durable, or
    /// has failed; the work is done also when the future is dropped. Work is done in the order in which
    /// it is queued. What it takes is time for all others: it computes nothing that can be done before.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.0.writer.queue(work)
    }

    /// Reads, on a thread that may block. All of the work sees the state after one commit.
    ///
    /// # Errors
    /// Those of the work, or of the database.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.0.readers.clone();
        let reading = tokio::task::spawn_blocking(move || readers.read(work));
        reading.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Reads on this thread.
    ///
    /// # Errors
    /// Those of the work, or of the database.
    pub fn read_blocking<T>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.readers.read(work)
    }

    /// Takes a run for this process, for as long as the lock lives or the process does. The kernel
    /// gives the lock back when the process dies, however it does.
    ///
    /// # Errors
    /// When the lock cannot be asked for; none if another process, or this one, has the run.
    pub fn lock_run(&self, run: &[u8; 16]) -> Result<Option<RunLock>, StoreError> {
        self.0.files.lock_run(run)
    }

    /// Whether a process has a run, this one included.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn is_run_locked(&self, run: &[u8; 16]) -> Result<bool, StoreError> {
        self.0.files.is_locked(run)
    }
}

#[cfg(test)]
mod tests;
