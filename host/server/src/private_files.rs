//! The files that are the server's alone, which the environments of its tenants name: no process of an action sees them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use kael_engine::environment::Environment;

/// The variable with the files, a line for each.
pub(crate) const VARIABLE: &str = "KAEL_SERVER_FILES";

/// An environment that names the files.
pub(crate) fn named<'a>(
    environment: &Environment,
    files: impl Iterator<Item = &'a Path>,
) -> Environment {
    let mut lines = OsString::new();
    for file in files {
        lines.push(file);
        lines.push("\n");
    }
    environment.clone().with(VARIABLE, lines)
}

/// The files that an environment names.
pub(crate) fn of(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    let lines = environment.get(VARIABLE).unwrap_or_default().as_bytes();
    let lines = lines.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|line| PathBuf::from(OsStr::from_bytes(line)))
}
