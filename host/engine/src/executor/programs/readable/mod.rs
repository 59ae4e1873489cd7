//! What an action with `reads` may read: what it needs to run, and what its definition names.

mod env_command;
mod installation;
mod interpreter;
mod system;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::writable::opened;
use crate::catalog::Definition;
use crate::environment::Environment;
use crate::executor::granted::{Places, Use};
use crate::executor::process::Opened;
use crate::executor::source::{Entry, brief};
use crate::failure::ActionError;

/// The parts of an action that it reads although its definition does not name them.
pub(super) struct Needed<'a> {
    /// The whole source, of which the entry point's folder may be a part.
    pub(super) source: &'a Path,
    pub(super) entry: &'a Entry,
    /// The `PATH` on which the interpreter is looked for.
    pub(super) path: &'a OsStr,
    /// The virtual environment with its packages.
    pub(super) packages: Option<&'a Path>,
    /// What becomes pid 1, and where it keeps notes of its own.
    pub(super) runner: Vec<PathBuf>,
}

/// Opens all that an action may read, beside what it may write and its own `/proc`.
pub(super) fn all(
    reads: &[String],
    definition: &Definition,
    places: &Places,
    environment: &Environment,
    needed: &Needed<'_>,
) -> Result<Vec<Opened>, ActionError> {
    let location = definition.location.to_string();
    let mut all = opened(reads, places, &location, Use::Read)?;
    let must_be_there = [needed.source].into_iter().chain(needed.packages);
    for path in must_be_there {
        let opened = Opened::new(path).map_err(|error| {
            let message = format!("{}: {}", path.display(), brief(&error));
            ActionError::unavailable(message, None)
        })?;
        all.push(opened);
    }
    let surroundings = installation::Surroundings {
        folder: needed.entry.folder.clone(),
        home: environment.path("HOME"),
        own: places
            .own()
            .chain([places.repo()])
            .map(Path::to_owned)
            .collect(),
    };
    let found = interpreter::places(&needed.entry.interpreter, needed.path, &surroundings);
    let system = system::PLACES.iter().map(PathBuf::from);
    let needed = system.chain(found).chain(needed.runner.iter().cloned());
    // No machine has all of these.
    all.extend(needed.filter_map(|path| Opened::new(&path).ok()));
    Ok(all)
}
