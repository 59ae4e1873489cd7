//! Keeps what is made in the folder of a source within it: no symbolic link stands in its way.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::entry::Entry;
use super::{SourceError, brief};

/// What envyr and Kael keep in the folder of a source. A link in one of these places would lead
/// them elsewhere.
const KEPT: [&str; 4] = [
    ".envyr",
    "node_modules",
    ".dockerignore",
    "package-lock.json",
];

/// Refuses a source where one of these places is a link, or `.envyr` anything but a folder.
///
/// # Errors
/// When it is.
pub(crate) fn plain(entry: &Entry) -> Result<(), SourceError> {
    let refuse = |name: &str, why: String| SourceError::InTheWay {
        path: entry.folder.join(name),
        why,
        name: name.to_owned(),
    };
    let said = |name: &str, error: Errno| refuse(name, brief(&error.into()));
    let folder = open_folder(entry).map_err(|error| {
        let why = format!("cannot be opened: {}", brief(&error.into()));
        refuse("", why)
    })?;
    let look = |folder: &OwnedFd, name: &str| {
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map(|stat| FileType::from_raw_mode(stat.st_mode))
    };
    for name in KEPT {
        match look(&folder, name) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(said(name, error)),
            Ok(FileType::Symlink) => {
                return Err(refuse(name, "is a symbolic link".to_owned()));
            }
            Ok(kind) if name == ".envyr" && !kind.is_dir() => {
                return Err(refuse(name, "is not a folder".to_owned()));
            }
            Ok(_) => {}
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = match rustix::fs::openat(&folder, ".envyr", flags, Mode::empty()) {
        Ok(own) => own,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(said(".envyr", error)),
    };
    for entry in rustix::fs::Dir::read_from(&own).into_iter().flatten() {
        let entry = entry.map_err(|error| said(".envyr", error))?;
        let name = entry.file_name().to_string_lossy();
        if look(&own, &name) == Ok(FileType::Symlink) {
            let name = format!(".envyr/{}", name.escape_debug());
            return Err(refuse(&name, "is a symbolic link".to_owned()));
        }
    }
    Ok(())
}

/// The folder that an entry point runs in.
pub(crate) fn open_folder(entry: &Entry) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(&entry.folder, flags, Mode::empty())
}
