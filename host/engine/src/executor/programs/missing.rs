//! Names the interpreter of an action where the machine has none: the words of the kernel and of
//! `env` leave out which file is missing.

use std::ffi::OsStr;

use crate::executor::source::{self, Entry};
use crate::failure::{ActionError, ErrorKind};

/// The exit status by which `env` and shells say that a program is not there.
const NOT_FOUND: i32 = 127;

/// The same error, or one that names the interpreter where that is what is missing.
pub(super) fn named(error: ActionError, entry: &Entry, path: &OsStr) -> ActionError {
    let status = error.detail.as_ref().and_then(|detail| detail.exit_code);
    if error.kind != ErrorKind::Unavailable && status != Some(NOT_FOUND) {
        return error;
    }
    // What stands on stderr was said by the program that was to start it.
    source::missing(entry, path).map_or(error, ActionError::from)
}
