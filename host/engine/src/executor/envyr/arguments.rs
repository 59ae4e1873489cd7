//! The command line of envyr for an action that runs as a process of the machine.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::catalog::Language;
use crate::executor::adapters::ProgramInput;
use crate::executor::source::Entry;

/// The order in which envyr takes its arguments: its lists swallow what stands behind them.
///
/// Its packages are installed, so Kael names no language to envyr: for Python it would make a virtual
/// environment without need and ask pip at every call, and for Node it would ask npm.
pub(crate) fn native(data: &Path, entry: &Entry) -> Vec<OsString> {
    let fixed = ["run", "--executor", "native", "--autogen"];
    let mut args: Vec<OsString> = vec!["--root".into(), data.join("envyr").into()];
    args.extend(fixed.map(OsString::from));
    for (option, value) in [
        ("-x", entry.file.as_str()),
        ("-i", &entry.interpreter),
        ("-t", Language::Other.name()),
    ] {
        args.extend([OsStr::new(option).to_owned(), value.into()]);
    }
    args.push(entry.folder.as_os_str().to_owned());
    args
}

/// What envyr hands on to the program as it stands, words that look like its own options included.
pub(crate) fn behind_dashes(given: &ProgramInput) -> Vec<OsString> {
    if given.args.is_empty() {
        return Vec::new();
    }
    ["--"]
        .into_iter()
        .chain(given.args.iter().map(String::as_str))
        .map(OsString::from)
        .collect()
}
