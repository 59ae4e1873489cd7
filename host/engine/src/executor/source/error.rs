//! Why a source cannot be used: it is not there, not what its definition says, or cannot be
//! prepared.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::interpreter_advice::advice;
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::units::TimeLimit;

/// Why a source cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The folder that a definition names.
    #[error("the source {} cannot be opened: {}", .path.display(), brief(.error))]
    Folder {
        /// As it was looked for.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// What `subdir` names is a file.
    #[error("`{}` is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// What `subdir` or `entrypoint` names is not there.
    #[error("{field} `{relative}` is not in {}: {}", .folder.display(), brief(.error))]
    Absent {
        /// The field of the definition.
        field: &'static str,
        /// Its value.
        relative: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// What `subdir` or `entrypoint` names lies elsewhere, through a symbolic link.
    #[error("{field} `{relative}` leads out of the source {}", .root.display())]
    Outside {
        /// The field of the definition.
        field: &'static str,
        /// Its value.
        relative: String,
        /// The folder of the source.
        root: PathBuf,
    },
    /// A file of the source is a folder, a FIFO or a device.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// A file of the source cannot be read.
    #[error("cannot read `{}`: {}", .path.display(), brief(.error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// Nothing says how a file is run.
    #[error(
        "`{0}` says neither by its name nor by a #! line what it is: set `type` or `interpreter`"
    )]
    NoLanguage(String),
    /// No file of a folder can be run.
    #[error("no entry point in {}: set `entrypoint`", .0.display())]
    NoEntryPoint(PathBuf),
    /// More than one file of a folder can be run.
    #[error("several entry points in {}: set `entrypoint` to one of {}", .folder.display(), .files.join(", "))]
    SeveralEntryPoints {
        /// The folder.
        folder: PathBuf,
        /// Their names.
        files: Vec<String>,
    },
    /// Something stands in the place of a file or folder that is made when a source is prepared.
    #[error("{} {why}", .path.display())]
    InTheWay {
        /// The place.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Its name within the source.
        name: String,
    },
    /// The interpreter of an entry point is not there.
    #[error("`{program}`, the interpreter of `{file}`, is not {place}")]
    NoInterpreter {
        /// Its program.
        program: String,
        /// The entry point.
        file: String,
        /// Where it was looked for.
        place: &'static str,
    },
    /// A file that names packages is not what it should be.
    #[error("`{0}`: {1}")]
    Manifest(String, String),
    /// A file that names packages was changed each time they were installed.
    #[error("the manifests of {} changed while its packages were installed", .0.display())]
    Changing(PathBuf),
    /// `env` would take the path of a program for a variable, and run the first argument.
    #[error("`{0}` cannot be started: `env` takes a path with `=` for a variable")]
    LooksLikeVariable(String),
    /// A definition names packages of Python for an entry point in another language.
    #[error("field 'deps' names packages of Python, and `{0}` does not run by Python")]
    DepsWithoutPython(String),
    /// Packages of Node are wanted, and npm is not there.
    #[error("npm, which installs what `package.json` names, is not on PATH")]
    NoNpm,
    /// There is no git.
    #[error("git is not installed")]
    NoGit,
    /// A program that fetches or prepares failed.
    #[error("{what}: {reason}")]
    Tool {
        /// What it was to do, and that it failed.
        what: String,
        /// Why, in its own words where it has any.
        reason: String,
        /// The end of what it wrote there.
        stderr: String,
    },
    /// Another call or host prepares the same source, and takes long.
    #[error("waited {0} for another call that prepares the same source")]
    Waited(TimeLimit),
    /// A file or folder of Kael's own, or a program that could not be started.
    #[error("{}: {error}", .path.display())]
    Local {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        error: io::Error,
    },
    /// No temporary folder could be made.
    #[error(transparent)]
    Temporary(ActionError),
    /// Work on another thread was given up: the host ends.
    #[error("{0}")]
    Interrupted(String),
}

impl SourceError {
    /// What would help.
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoInterpreter { program, .. } => Some(advice(program)),
            Self::DepsWithoutPython(_) => {
                Some("list packages of Node in a package.json beside the entry point".to_owned())
            }
            Self::NoNpm => Some("install npm".to_owned()),
            Self::LooksLikeVariable(_) => Some(
                "rename the file, or set `type` or `interpreter` if a program runs it".to_owned(),
            ),
            Self::Tool { reason, .. } if reason.contains("ensurepip") => {
                Some("install Python's module ensurepip (on Debian: python3-venv)".to_owned())
            }
            Self::NoGit => Some("install git, or name a folder as the source".to_owned()),
            Self::InTheWay { name, .. } => Some(format!(
                "delete {name} of the source, or make it a plain folder or file"
            )),
            _ => None,
        }
    }
}

impl From<SourceError> for ActionError {
    fn from(error: SourceError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        match error {
            SourceError::Temporary(error) => error,
            SourceError::Waited(_) => Self::new(ErrorKind::Timeout, message),
            SourceError::Tool { stderr, .. } => Self {
                kind: ErrorKind::Unavailable,
                message,
                detail: Some(Box::new(Detail {
                    stderr,
                    hint,
                    ..Detail::default()
                })),
            },
            _ => Self::unavailable(message, hint),
        }
    }
}

/// The operating system's words without its number.
#[must_use]
pub fn brief(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}
