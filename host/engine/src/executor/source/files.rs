//! Kael's own notes and folders about sources, below the data folder.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::SourceError;
use crate::executor::{removal, unblocked};
use crate::permit;
use crate::text::hex;

/// Bytes of a note.
const NOTE_CAP: u64 = 64 << 10;

/// Reads a note.
pub(super) fn note(path: &Path) -> io::Result<String> {
    unblocked::text(path, NOTE_CAP)
}

/// Writes a file beside its place and moves it in, so that no reader sees half of it. It follows no
/// link: what stands there is replaced.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(content)?;
    beside.persist(path)?;
    Ok(())
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
    hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_note_is_written_through_no_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("precious"), "x").expect("a file");
        for link in ["ready", "ready.new"] {
            symlink(at("precious"), at(link)).expect("a link");
        }
        write_whole(&at("ready"), b"note").expect("it is written");
        assert_eq!(note(&at("ready")).expect("a note"), "note");
        assert_eq!(note(&at("precious")).expect("a file"), "x");
    }
}
