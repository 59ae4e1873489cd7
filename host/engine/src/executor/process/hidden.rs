//! Which of the paths that a process is not to see are there, and can be hidden from it.

use std::io;
use std::path::{Path, PathBuf};

use super::spawn::Hidden;
use super::{ProcessCommand, c_string};

/// What is hidden from a process, with nothing twice. Of a folder that holds what the process needs, such as its
/// working folder, the files directly in it are hidden.
pub(super) fn found(command: &ProcessCommand) -> io::Result<Vec<Hidden>> {
    let needed = [&command.program, &command.folder];
    let needed = needed.map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
    let is_needed = |folder: &Path| needed.iter().any(|needed| needed.starts_with(folder));
    let mut found: Vec<(PathBuf, bool)> = Vec::new();
    // What this user cannot look at, the process cannot either.
    for path in command
        .hidden
        .iter()
        .filter_map(|path| path.canonicalize().ok())
    {
        match path.is_dir() {
            true if is_needed(&path) => {
                let files = path.read_dir()?.flatten();
                let files = files.filter(|file| file.file_type().is_ok_and(|kind| kind.is_file()));
                found.extend(files.map(|file| (file.path(), false)));
            }
            is_folder => found.push((path, is_folder)),
        }
    }
    found.sort();
    // What is in a hidden folder is hidden with it.
    found.dedup_by(|inner, outer| inner.0 == outer.0 || outer.1 && inner.0.starts_with(&outer.0));
    let hidden = found.into_iter().map(|(path, is_folder)| {
        Ok(Hidden {
            path: c_string(path.as_os_str())?,
            is_folder,
        })
    });
    hidden.collect()
}
