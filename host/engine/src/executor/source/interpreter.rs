//! Whether the interpreter of an entry point is on this machine, and how to get it.

use std::ffi::OsStr;
use std::path::Path;

use super::SourceError;
use super::command_line::program;
use super::entry::Entry;
use crate::executor::on_path::on_path;

/// The error of an entry point whose interpreter is not there.
pub(crate) fn missing(entry: &Entry, path: &OsStr) -> Option<SourceError> {
    let (program, place) = lacking(&entry.interpreter, path)?;
    Some(SourceError::NoInterpreter {
        program: program.to_owned(),
        file: entry.file.clone(),
        place,
    })
}

/// The program of an interpreter's command line that is not there, and where it was looked for.
fn lacking<'a>(interpreter: &'a str, path: &OsStr) -> Option<(&'a str, &'static str)> {
    let first = interpreter.split_whitespace().next()?;
    let program = match first.contains('/') && !Path::new(first).exists() {
        true => first,
        false => program(interpreter)?,
    };
    if program.contains('/') {
        return (!Path::new(program).exists()).then_some((program, "on this machine"));
    }
    match on_path(program, path) {
        Some(_) => None,
        None => Some((program, "on PATH")),
    }
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
