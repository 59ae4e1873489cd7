//! The digests of all files of a folder: a change of any of them is seen.
//!
//! A folder may hold any amount, also by what an action has written there. So reading has a deadline,
//! ends with the call that it is for, and the number of files has a bound.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::SourceError;

/// Levels of folders that are looked at: an action may have made many where it may write.
const MAX_DEPTH: usize = 200;
/// Files that are looked at.
const MAX_FILES: usize = 200_000;
/// Bytes that are read between two looks at the deadline.
const PIECE: usize = 256 << 10;

/// The digests of files by their paths in the folder.
pub(super) type Files = BTreeMap<Vec<u8>, [u8; 32]>;

/// How long a reader may go on.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    until: Option<Instant>,
    is_over: Arc<AtomicBool>,
}

/// Ends a reading when it is dropped.
pub(crate) struct EndOfReading(Arc<AtomicBool>);

impl Drop for EndOfReading {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Reading {
    /// A reading of so long at most, and what ends it before.
    pub(crate) fn within(time: Duration) -> (Self, EndOfReading) {
        let is_over = Arc::new(AtomicBool::new(false));
        let reading = Self {
            until: Instant::now().checked_add(time),
            is_over: is_over.clone(),
        };
        (reading, EndOfReading(is_over))
    }

    fn goes_on(&self) -> io::Result<()> {
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        match is_late || self.is_over.load(Ordering::Relaxed) {
            true => Err(io::Error::other("reading all of it takes too long")),
            false => Ok(()),
        }
    }
}

/// Everything in a folder.
pub(super) fn of(folder: &Path, reading: &Reading) -> Result<Files, SourceError> {
    without(folder, &[], reading)
}

/// Every file, except those with one of these names.
pub(super) fn without(
    folder: &Path,
    names: &[&str],
    reading: &Reading,
) -> Result<Files, SourceError> {
    let mut files = BTreeMap::new();
    collect(folder, folder, (names, reading), &mut files, 0).map_err(|error| {
        SourceError::Unreadable {
            path: folder.to_owned(),
            error,
        }
    })?;
    Ok(files)
}

fn collect(
    root: &Path,
    folder: &Path,
    (names, reading): (&[&str], &Reading),
    files: &mut Files,
    depth: usize,
) -> io::Result<()> {
    if depth > MAX_DEPTH {
        let error = format!("folders nest deeper than {MAX_DEPTH}");
        return Err(io::Error::other(error));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        reading.goes_on()?;
        if files.len() >= MAX_FILES {
            let error = format!("it holds more than {MAX_FILES} files");
            return Err(io::Error::other(error));
        }
        if names.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(root, &path, (names, reading), files, depth + 1)?;
            continue;
        }
        let mut hash = Sha256::new();
        if kind.is_symlink() {
            hash.update(fs::read_link(&path)?.as_os_str().as_encoded_bytes());
        } else if kind.is_file() {
            // What has become a FIFO since is not waited for.
            let mut options = fs::File::options();
            let mut file = options
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path)?;
            hash.update(file.metadata()?.permissions().mode().to_le_bytes());
            read(&mut file, &mut hash, reading)?;
        }
        let name = path.strip_prefix(root).unwrap_or(&path);
        files.insert(
            name.as_os_str().as_encoded_bytes().to_vec(),
            hash.finalize().into(),
        );
    }
    Ok(())
}

/// Hashes a file piece by piece.
fn read(file: &mut fs::File, hash: &mut Sha256, reading: &Reading) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => hash.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        reading.goes_on()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_with_its_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = fs::File::create(folder.path().join("large")).expect("a file");
        // 1 TiB of nothing, which takes long to read.
        large.set_len(1 << 40).expect("a length");
        let said = |reading: &Reading| {
            of(folder.path(), reading)
                .expect_err("it is too much")
                .to_string()
        };
        let (reading, _end) = Reading::within(Duration::from_millis(50));
        assert!(said(&reading).ends_with("reading all of it takes too long"));
        let (reading, end) = Reading::within(Duration::from_secs(3600));
        let reading = std::thread::scope(|scope| {
            let reading = scope.spawn(|| said(&reading));
            std::thread::sleep(Duration::from_millis(50));
            drop(end);
            reading.join()
        });
        assert!(reading.expect("it ends").ends_with("takes too long"));
    }

    #[test]
    fn a_change_of_any_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |text: &str| fs::write(folder.path().join("a"), text).expect("a file");
        let (reading, _end) = Reading::within(Duration::from_secs(60));
        let look = || of(folder.path(), &reading).expect("files");
        write("1");
        let before = look();
        assert_eq!(before, look());
        write("2");
        assert_ne!(before, look());
    }
}
