//! Whether the interpreter of an entry point is on this machine, and how to get it.

use std::ffi::OsStr;
use std::path::Path;

use super::SourceError;
use super::entry::Entry;
use super::interpreter_advice::base;

/// The error of an entry point whose interpreter is not there.
pub(crate) fn missing(entry: &Entry, path: &OsStr) -> Option<SourceError> {
    let (program, place) = lacking(&entry.interpreter, path)?;
    Some(SourceError::NoInterpreter {
        program: program.to_owned(),
        file: entry.file.clone(),
        place,
    })
}

/// Whether an interpreter's command line is that of Python.
pub(super) fn is_python(interpreter: &str) -> bool {
    let program = program(interpreter).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(base(name), "python" | "pypy")
}

/// The program of an interpreter's command line: the one that `env` starts, where that is first.
fn program(interpreter: &str) -> Option<&str> {
    let mut words = interpreter.split_whitespace();
    let first = words.next()?;
    if !(first == "env" || first.ends_with("/env")) {
        return Some(first);
    }
    // Its options and assignments stand before the program.
    words.find(|word| !word.starts_with('-') && !word.contains('='))
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

    #[test]
    fn python_is_known_by_its_program() {
        for (interpreter, expected) in [
            ("/usr/bin/env python3", true),
            ("/usr/bin/env -S python3.11 -u", true),
            ("/opt/py/bin/python -I", true),
            ("pypy3", true),
            ("/usr/bin/env -S uv run --script", false),
            ("/usr/bin/env", false),
        ] {
            assert_eq!(is_python(interpreter), expected, "{interpreter}");
        }
    }
}
