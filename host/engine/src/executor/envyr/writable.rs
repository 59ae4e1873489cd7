//! What an action may write beside its `TMPDIR`: what its definition names, and the one file that envyr writes.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::entry::{Entry, brief};
use crate::catalog::Definition;
use crate::executor::granted::{Places, Refused, Use};
use crate::executor::process::Opened;
use crate::failure::ActionError;

/// What envyr and Kael keep in the folder of a source. A link in one of these places would lead them elsewhere.
const KEPT: [&str; 4] = [
    ".envyr",
    "node_modules",
    ".dockerignore",
    "package-lock.json",
];

/// Opens what a definition names in `writable`.
pub(super) fn named(definition: &Definition, places: &Places) -> Result<Vec<Opened>, ActionError> {
    let open = |path: &String| {
        places.open(path, Use::Write).map_err(|refused| {
            let why = match refused {
                Refused::Missing => "does not exist: make it before the action runs".to_owned(),
                Refused::For(why) => why,
            };
            let location = &definition.location;
            let message = format!("{location}: field 'writable' `{path}` {why}");
            ActionError::unavailable(message, None)
        })
    };
    definition.writable.iter().map(open).collect()
}

/// Sees to it that what envyr and Kael itself write in the folder of a source stays in it: that nothing there is a link, and
/// `.envyr` a folder or not there.
pub(super) fn plain(entry: &Entry) -> Result<(), ActionError> {
    let refuse = |name: &str, why: &str| {
        let path = entry.folder.join(name);
        let hint = format!("delete {name} of the source, or make it a plain folder or file");
        ActionError::unavailable(format!("{} {why}", path.display()), Some(hint))
    };
    let folder = open_folder(entry).map_err(|error| {
        let why = format!("cannot be opened: {}", brief(&error.into()));
        refuse("", &why)
    })?;
    let look = |folder: &OwnedFd, name: &str| {
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map(|stat| FileType::from_raw_mode(stat.st_mode))
    };
    for name in KEPT {
        match look(&folder, name) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(refuse(name, &brief(&error.into()))),
            Ok(FileType::Symlink) => return Err(refuse(name, "is a symbolic link")),
            Ok(kind) if name == ".envyr" && !kind.is_dir() => {
                return Err(refuse(name, "is not a folder"));
            }
            Ok(_) => {}
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = match rustix::fs::openat(&folder, ".envyr", flags, Mode::empty()) {
        Ok(own) => own,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(refuse(".envyr", &brief(&error.into()))),
    };
    for entry in rustix::fs::Dir::read_from(&own).into_iter().flatten() {
        let entry = entry.map_err(|error| refuse(".envyr", &brief(&error.into())))?;
        let name = entry.file_name().to_string_lossy();
        if look(&own, &name) == Ok(FileType::Symlink) {
            let name = format!(".envyr/{}", name.escape_debug());
            return Err(refuse(&name, "is a symbolic link"));
        }
    }
    Ok(())
}

fn open_folder(entry: &Entry) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(&entry.folder, flags, Mode::empty())
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
