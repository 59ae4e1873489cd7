//! What an action with `reads` may read: what it needs to run, and what its definition names.

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
    let source = Opened::new(needed.source).map_err(|error| {
        let message = format!("{}: {}", needed.source.display(), brief(&error));
        ActionError::unavailable(message, None)
    })?;
    all.push(source);
    let data = environment.data_folder();
    let surroundings = interpreter::Surroundings {
        home: environment.path("HOME"),
        others: vec![places.repo().to_owned(), data],
    };
    let found = interpreter::places(&needed.entry.interpreter, needed.path, &surroundings);
    let system = system::PLACES.iter().map(PathBuf::from);
    let needed = system.chain(found).chain(needed.runner.iter().cloned());
    // No machine has all of these.
    all.extend(needed.filter_map(|path| Opened::new(&path).ok()));
    Ok(all)
}
