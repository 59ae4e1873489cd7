//! The paths that a confined process may write, and those that it may read where that is restricted,
//! as a Landlock ruleset.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};
use rustix::fs::FileType;

use super::kernel_features::landlock_version;

/// Devices that programs expect to be writable.
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// A file or folder that a process may write or read. It is open, so that it stays the one that was
/// checked.
#[derive(Debug)]
pub struct Opened {
    pub(crate) fd: OwnedFd,
    /// Its path without symbolic links.
    pub(crate) path: PathBuf,
}

impl Opened {
    /// Opens a path.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags, open};
        Self::of(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Takes an open file or folder.
    pub(crate) fn of(fd: OwnedFd) -> io::Result<Self> {
        let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
        Ok(Self { fd, path })
    }

    /// Its path without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file type.
    pub(crate) fn kind(&self) -> io::Result<FileType> {
        Ok(FileType::from_raw_mode(
            rustix::fs::fstat(&self.fd)?.st_mode,
        ))
    }
}

/// Every right to change something, up to the version of Landlock that Kael knows. The kernel
/// ignores those that it does not have.
fn rights() -> BitFlags<AccessFs> {
    AccessFs::from_write(ABI::V6)
}

/// The rights to read a file, to list a folder and to execute a program. Every version of Landlock
/// has them.
pub(super) fn reading() -> BitFlags<AccessFs> {
    AccessFs::from_read(ABI::V1)
}

/// The ruleset of a process that may write below `writable`, and read there and below `readable`, if
/// that is given. None if the kernel has no Landlock.
pub(super) fn ruleset<'a>(
    writable: impl IntoIterator<Item = &'a Opened>,
    readable: Option<&[Opened]>,
) -> io::Result<Option<OwnedFd>> {
    if landlock_version().is_none() {
        return Ok(None);
    }
    let read = match readable {
        Some(_) => reading(),
        None => BitFlags::empty(),
    };
    let ruleset = Ruleset::default()
        .handle_access(rights() | read)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    // No process may make device files, even where it may write.
    let make = (rights() & !(AccessFs::MakeChar | AccessFs::MakeBlock)) | read;
    let for_files = AccessFs::from_file(ABI::V6);
    let on_file = for_files & (rights() | read);
    let mut ruleset = ruleset;
    for opened in readable.unwrap_or_default() {
        let right = if opened.kind()?.is_dir() {
            read
        } else {
            read & for_files
        };
        let rule = PathBeneath::new(&opened.fd, right);
        ruleset = ruleset.add_rule(rule).map_err(io::Error::other)?;
    }
    for opened in writable {
        let folder = opened.kind()?.is_dir();
        let rule = PathBeneath::new(&opened.fd, if folder { make } else { on_file });
        ruleset = ruleset.add_rule(rule).map_err(io::Error::other)?;
    }
    for device in DEVICES {
        // A container may lack a device, and no process can make it.
        if let Ok(fd) = PathFd::new(device) {
            let rule = PathBeneath::new(fd, on_file);
            ruleset = ruleset.add_rule(rule).map_err(io::Error::other)?;
        }
    }
    Ok(ruleset.into())
}
