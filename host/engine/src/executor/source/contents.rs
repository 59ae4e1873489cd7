//! The digests of all files of a folder: a change of any of them is seen.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::SourceError;

/// Levels of folders that are looked at: an action may have made many where it may write.
const MAX_DEPTH: usize = 200;

/// The digests of files by their paths in the folder.
pub(super) type Files = BTreeMap<Vec<u8>, [u8; 32]>;

/// Everything in a folder.
pub(super) fn of(folder: &Path) -> Result<Files, SourceError> {
    without(folder, &[])
}

/// Every file, except those with one of these names.
pub(super) fn without(folder: &Path, names: &[&str]) -> Result<Files, SourceError> {
    let mut files = BTreeMap::new();
    collect(folder, folder, names, &mut files, 0).map_err(|error| SourceError::Unreadable {
        path: folder.to_owned(),
        error,
    })?;
    Ok(files)
}

fn collect(
    root: &Path,
    folder: &Path,
    names: &[&str],
    files: &mut Files,
    depth: usize,
) -> io::Result<()> {
    if depth > MAX_DEPTH {
        let error = format!("folders nest deeper than {MAX_DEPTH}");
        return Err(io::Error::other(error));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if names.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(root, &path, names, files, depth + 1)?;
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
            io::copy(&mut file, &mut hash)?;
        }
        let name = path.strip_prefix(root).unwrap_or(&path);
        files.insert(
            name.as_os_str().as_encoded_bytes().to_vec(),
            hash.finalize().into(),
        );
    }
    Ok(())
}
