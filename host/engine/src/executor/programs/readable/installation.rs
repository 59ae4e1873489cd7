//! What of the folder that an interpreter is installed in, its prefix, is the interpreter's own.
//!
//! A prefix may hold other things: `~/.local` has keys beside its programs, a project its sources
//! beside a virtual environment. So no prefix is opened as a whole.

use std::path::{Path, PathBuf};

use super::system;
use crate::executor::granted::holds_a_home;

/// Folders that hold programs, and so say where a prefix is.
const BINARIES: [&str; 2] = ["bin", "sbin"];

/// The folder of programs that start one of several versions: of pyenv, rbenv, asdf or mise.
const SHIMS: &str = "shims";

/// What an interpreter reads of its prefix.
const PARTS: [&str; 9] = [
    "bin",
    "sbin",
    "include",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "share",
    "pyvenv.cfg",
];

/// What a manager of versions reads of its folder beside these.
const OF_A_MANAGER: [&str; 6] = [
    "shims", "versions", "version", "installs", "plugins", "pyenv.d",
];

/// What a prefix may be, hold or lie in without being an interpreter's.
pub(super) struct Surroundings {
    /// The folder that the action starts in.
    pub(super) folder: PathBuf,
    pub(super) home: Option<PathBuf>,
    /// Such as the actions repo and Kael's data folder, by their real paths.
    pub(super) own: Vec<PathBuf>,
}

impl Surroundings {
    /// Whether a real path is, or lies in, what is not an interpreter's.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        self.own.iter().any(|own| path.starts_with(own))
    }

    /// The parts of the prefix that a program lies in, by their real paths. None where the system's
    /// own folders hold it, and where the prefix is a home folder.
    pub(super) fn parts(&self, program: &Path) -> Vec<PathBuf> {
        let Some((prefix, is_manager)) = prefix(program) else {
            return Vec::new();
        };
        if system::has(&prefix) || holds_a_home(&prefix, self.home.as_deref()) {
            return Vec::new();
        }
        let is_local = prefix.ends_with(".local");
        let parts = PARTS.iter().filter(|part| !is_local || **part != "share");
        let more = OF_A_MANAGER.iter().filter(|_| is_manager);
        let real = parts
            .chain(more)
            .filter_map(|part| prefix.join(part).canonicalize().ok());
        real.filter(|part| part.starts_with(&prefix) && *part != prefix)
            .filter(|part| !self.meets_own(part))
            .collect()
    }

    fn meets_own(&self, part: &Path) -> bool {
        self.is_own(part) || self.own.iter().any(|own| own.starts_with(part))
    }
}

/// The folder that an installation lies in, by its real path, and whether it is that of a manager of
/// versions.
fn prefix(program: &Path) -> Option<(PathBuf, bool)> {
    let folder = program.parent()?;
    let name = folder.file_name()?.to_str()?;
    let is_manager = name == SHIMS;
    let prefix = folder
        .parent()
        .filter(|_| is_manager || BINARIES.contains(&name))?;
    Some((prefix.canonicalize().ok()?, is_manager))
}
