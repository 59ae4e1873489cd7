//! Names the interpreter of an action where the machine has none: the kernel's and env's words
//! leave out which file is missing.

use std::ffi::OsStr;
use std::path::Path;

use crate::executor::source::Entry;
use crate::failure::{ActionError, ErrorKind};

/// The exit status by which env and shells say that a program is not there.
const NOT_FOUND: i32 = 127;

/// The same error, or one that names the interpreter where that is what is missing.
pub(super) fn named(error: ActionError, entry: &Entry, path: &OsStr) -> ActionError {
    let status = error.detail.as_ref().and_then(|detail| detail.exit_code);
    if error.kind != ErrorKind::Unavailable && status != Some(NOT_FOUND) {
        return error;
    }
    let Some((program, place)) = lacking(&entry.interpreter, path) else {
        return error;
    };
    // What stands on stderr is said by what was to start it.
    ActionError::unavailable(
        format!(
            "`{program}`, the interpreter of `{}`, is not {place}",
            entry.file
        ),
        None,
    )
}

/// The program of an interpreter's command line that is not there, and where it was looked for.
fn lacking<'a>(interpreter: &'a str, path: &OsStr) -> Option<(&'a str, &'static str)> {
    let mut words = interpreter.split_whitespace();
    let mut program = words.next()?;
    if program.ends_with("/env") && Path::new(program).exists() {
        // Its options and assignments stand before the program.
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    if program.contains('/') {
        return (!Path::new(program).exists()).then_some((program, "on this machine"));
    }
    let found = std::env::split_paths(path).any(|folder| folder.join(program).is_file());
    (!found).then_some((program, "on PATH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_named() {
        let lacking = |interpreter| lacking(interpreter, OsStr::new("/usr/bin:/bin"));
        for (interpreter, expected) in [
            ("/bin/sh -e", None),
            ("/usr/bin/env sh", None),
            ("/usr/bin/env", None),
            (
                "/usr/bin/env -S no-such-7 -x",
                Some(("no-such-7", "on PATH")),
            ),
            (
                "/opt/no-such/perl -w",
                Some(("/opt/no-such/perl", "on this machine")),
            ),
            ("no-such-7", Some(("no-such-7", "on PATH"))),
        ] {
            assert_eq!(lacking(interpreter), expected, "{interpreter}");
        }
    }
}
