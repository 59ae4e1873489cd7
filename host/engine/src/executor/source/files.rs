//! Kael's own notes and folders about sources, below the data folder.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::SourceError;
use crate::executor::{removal, unblocked};
use crate::permit;

/// Bytes of a note.
const NOTE_CAP: u64 = 64 << 10;

/// Reads a note.
pub(super) fn note(path: &Path) -> io::Result<String> {
    unblocked::text(path, NOTE_CAP)
}

/// Writes a file beside its place and moves it in, so that no reader sees half of it.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(beside, path)
}

/// Deletes a folder. A process that was killed while it wrote there may take a moment to be gone.
pub(super) async fn remove(folder: &Path) -> Result<(), SourceError> {
    let mut rounds = 0;
    loop {
        let path = folder.to_owned();
        // Packages make folders that are deep and hold much when they are installed.
        let removing = permit::blocking(move || removal::remove(&path));
        match removing
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(()) => return Ok(()),
            Err(error) if rounds == 100 => return Err(local(folder, error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        rounds += 1;
    }
}

/// An error of the operating system about a path.
pub(super) fn local(path: &Path, error: io::Error) -> SourceError {
    SourceError::Local {
        path: path.to_owned(),
        error,
    }
}

/// A name for what these texts say together.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
