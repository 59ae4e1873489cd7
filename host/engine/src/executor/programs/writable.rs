//! What an action may write beside its `TMPDIR`: what its definition names, and the one file that envyr writes.

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::catalog::Definition;
use crate::executor::granted::{Places, Refused, Use};
use crate::executor::process::Opened;
use crate::executor::source::{Entry, brief, open_folder};
use crate::failure::ActionError;

/// Opens what a definition names in `writable`.
pub(super) fn named(definition: &Definition, places: &Places) -> Result<Vec<Opened>, ActionError> {
    opened(
        &definition.writable,
        places,
        &definition.location.to_string(),
        Use::Write,
    )
}

/// Opens paths that the definition at `location` names, in `writable` or in `reads`.
pub(in crate::executor) fn opened(
    paths: &[String],
    places: &Places,
    location: &str,
    purpose: Use,
) -> Result<Vec<Opened>, ActionError> {
    let field = match purpose {
        Use::Write => "writable",
        Use::Read => "reads",
    };
    let open = |path: &String| {
        places.open(path, purpose).map_err(|refused| {
            let why = match refused {
                Refused::Missing => "does not exist: make it before the action runs".to_owned(),
                Refused::For(why) => why,
            };
            let message = format!("{location}: field '{field}' `{path}` {why}");
            ActionError::unavailable(message, None)
        })
    };
    paths.iter().map(open).collect()
}

/// The file that envyr writes at every run, and never reads when it was called with `--autogen`.
pub(super) fn notes(entry: &Entry) -> Result<Opened, ActionError> {
    let open = || {
        let folder = open_folder(entry)?;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let look = |flags, mode| {
            rustix::fs::openat2(
                &folder,
                ".envyr/meta.json",
                flags | OFlags::CLOEXEC,
                mode,
                inside,
            )
        };
        match look(OFlags::PATH, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => {}
            found => return found,
        }
        match rustix::fs::mkdirat(&folder, ".envyr", Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let mode = Mode::from_raw_mode(0o644);
        look(OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK, mode)?;
        look(OFlags::PATH, Mode::empty())
    };
    let failed = |error: &std::io::Error| {
        let file = entry.folder.join(".envyr/meta.json");
        let hint = "delete the folder .envyr of the source, and let this user write there";
        ActionError::unavailable(
            format!("{}: {}", file.display(), brief(error)),
            Some(hint.to_owned()),
        )
    };
    let opened = open().map_err(|errno| failed(&errno.into()))?;
    let stat = rustix::fs::fstat(&opened).map_err(|errno| failed(&errno.into()))?;
    let opened = Opened::of(opened).map_err(|error| failed(&error))?;
    // A second name for a file would be a way to write something else.
    if !opened.kind().is_ok_and(|kind| kind.is_file()) || stat.st_nlink != 1 {
        let other = std::io::Error::other("it is not a file of its own");
        return Err(failed(&other));
    }
    Ok(opened)
}
