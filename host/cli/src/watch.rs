//! `run --watch`: runs again when the script or a Lua file of the actions repo has changed.

use std::collections::BTreeMap;
use std::fs;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit;
use super::runtime::{Driven, block_with_signals};
use super::stderr;

/// How often to look at the files. No kernel event covers files on every file system.
const EVERY: Duration = Duration::from_millis(300);
/// The depth to which a repo is read.
const DEPTH: usize = 16;

/// The size, times and inode of each file, by path.
pub(super) type State = BTreeMap<PathBuf, (u64, i64, i64, u64)>;

/// The state of the script and of the repo's Lua files.
pub(super) fn look(script: &Path, repo: Option<&Path>) -> State {
    let mut state = State::new();
    note(script, &mut state);
    if let Some(repo) = repo {
        folder(repo, 0, &mut state);
    }
    state
}

fn note(path: &Path, state: &mut State) {
    // A missing file has no entry, so its creation is a change.
    if let Ok(found) = path.metadata() {
        let facts = (found.ino(), found.mtime(), found.mtime_nsec(), found.size());
        state.insert(path.to_owned(), facts);
    }
}

fn folder(path: &Path, depth: usize, state: &mut State) {
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let hidden = name.as_encoded_bytes().starts_with(b".") || name == "node_modules";
        let written = depth == 0 && name == kael_engine::repo::STATE;
        if hidden || written || depth > DEPTH {
            continue;
        }
        if path.is_dir() {
            folder(&path, depth + 1, state);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            note(&path, state);
        }
    }
}

/// Waits for a change. Returns the changed file, or the exit code after a signal.
pub(super) fn wait(script: &Path, repo: Option<&Path>, before: &State) -> Result<PathBuf, u8> {
    let changing = async {
        loop {
            let now = look(script, repo);
            if let Some(path) = difference(before, &now) {
                // Editors write in several steps. Only the last state counts.
                tokio::time::sleep(EVERY / 3).await;
                return path;
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    match block_with_signals(changing) {
        Ok(Driven::Done(path)) => Ok(path),
        Ok(Driven::Signal(number)) => Err(exit::SIGNAL + number),
        Err(_) => Err(exit::BUG),
    }
}

fn difference(before: &State, now: &State) -> Option<PathBuf> {
    let changed = now
        .iter()
        .find(|(path, facts)| before.get(*path) != Some(facts));
    let gone = || before.keys().find(|path| !now.contains_key(*path));
    changed.map(|(path, _)| path).or_else(gone).cloned()
}

/// Prints a message between two runs to stderr.
pub(super) fn tell(text: &str) {
    stderr::last(&format!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_named_and_other_files_are_none() {
        let repo = tempfile::tempdir().expect("a folder");
        let (script, sub) = (repo.path().join("s.txt"), repo.path().join("sub"));
        fs::create_dir(&sub).expect("a folder");
        fs::write(&script, "1").expect("written");
        let before = look(&script, Some(repo.path()));
        fs::write(sub.join("notes.txt"), "x").expect("written");
        fs::write(repo.path().join(".hidden.lua"), "x").expect("written");
        assert_eq!(difference(&before, &look(&script, Some(repo.path()))), None);
        fs::write(sub.join("a.lua"), "x").expect("written");
        let with = look(&script, Some(repo.path()));
        assert_eq!(difference(&before, &with), Some(sub.join("a.lua")));
        fs::write(&script, "22").expect("written");
        assert_eq!(
            difference(&with, &look(&script, Some(repo.path()))),
            Some(script.clone())
        );
        fs::remove_file(sub.join("a.lua")).expect("removed");
        fs::write(&script, "1").expect("written");
        let now = look(&script, Some(repo.path()));
        assert!(difference(&with, &now).is_some());
    }
}
