//! What the result of an action depends on, beside its definition and parameters.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::SourceError;
use super::contents::{self, Files, Reading};
use crate::catalog::Definition;
use crate::environment::Environment;
use crate::permit;
use crate::text::hex;

/// Files of a source that are not its own: envyr's, and what is made from other files.
const NOT_CONTENT: [&str; 5] = [
    ".git",
    ".envyr",
    ".dockerignore",
    "node_modules",
    "__pycache__",
];

/// The digest of every file of a source, by its path.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn of_source(folder: &Path, reading: &Reading) -> Result<Files, SourceError> {
    contents::without(folder, &NOT_CONTENT, reading)
}

/// A digest of every file of a source, which is read within a time.
pub(super) async fn of_files(folder: PathBuf, within: Duration) -> Result<String, SourceError> {
    let mut hash = Sha256::new();
    add_folders(&mut hash, within, move |reading| {
        Ok(vec![of_source(&folder, reading)?])
    })
    .await?;
    Ok(hex(&hash.finalize()))
}

/// Reads folders aside, and adds their files to a digest.
async fn add_folders(
    hash: &mut Sha256,
    within: Duration,
    read: impl FnOnce(&Reading) -> Result<Vec<Files>, SourceError> + Send + 'static,
) -> Result<(), SourceError> {
    let (reading, _end) = Reading::within(within);
    let folders = permit::blocking(move || read(&reading)).await;
    let folders =
        folders.unwrap_or_else(|error| Err(SourceError::Interrupted(error.to_string())))?;
    for files in folders {
        hash.update(files.len().to_le_bytes());
        for (name, digest) in files {
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            hash.update(digest);
        }
    }
    Ok(())
}

/// A digest of every file of the source and of the folders that the action is given, and of the
/// variables that it sees, hashed with `key`. `runner` says what runs it.
pub(super) async fn of_call(
    folder: PathBuf,
    repo: &Path,
    definition: &Definition,
    environment: &Environment,
    key: [u8; 32],
    runner: &str,
) -> Result<String, SourceError> {
    let dirs = definition.grants.dirs.iter();
    let dirs: Vec<PathBuf> = dirs.map(|dir| repo.join(&dir.path)).collect();
    let mut hash = Sha256::new();
    hash.update(runner);
    // An action may use any file of its source, not only those beside its entry point, and any of
    // the folders that it is given.
    let within = definition.timeout.duration();
    let read = move |reading: &Reading| {
        let mut all = vec![of_source(&folder, reading)?];
        for dir in &dirs {
            all.push(contents::of(dir, reading)?);
        }
        Ok(all)
    };
    add_folders(&mut hash, within, read).await?;
    for name in &definition.env {
        let mut keyed = Sha256::new();
        keyed.update(key);
        let value = environment.get(name);
        keyed.update([u8::from(value.is_some())]);
        keyed.update(value.unwrap_or_default().as_encoded_bytes());
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        hash.update(Sha256::digest(keyed.finalize()));
    }
    Ok(hex(&hash.finalize()))
}
