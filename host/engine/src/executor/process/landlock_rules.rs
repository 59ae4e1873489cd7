//! What a confined process may write, as a Landlock ruleset: everything can be read as before.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope,
};
use rustix::fs::FileType;

use super::spawn::landlock_version;

/// Devices that a program takes for granted.
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// A file or folder that may be written, open so that it stays what was looked at.
#[derive(Debug)]
pub struct Opened {
    pub(crate) fd: OwnedFd,
    /// Where it is, without symbolic links.
    pub(crate) path: PathBuf,
}

impl Opened {
    /// Opens what is at a path.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags, open};
        Self::of(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Takes what was opened.
    pub(crate) fn of(fd: OwnedFd) -> io::Result<Self> {
        let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
        Ok(Self { fd, path })
    }

    /// What it is.
    pub(crate) fn kind(&self) -> io::Result<FileType> {
        Ok(FileType::from_raw_mode(
            rustix::fs::fstat(&self.fd)?.st_mode,
        ))
    }
}

/// Every right that changes something, in the versions that this program was written for. What the kernel does not know
/// is left out.
fn rights() -> BitFlags<AccessFs> {
    AccessFs::from_write(ABI::V6)
}

/// A ruleset for a process that may write below `writable`, which are open. None where the kernel has no Landlock.
pub(super) fn ruleset<'a>(
    writable: impl IntoIterator<Item = &'a Opened>,
) -> io::Result<Option<OwnedFd>> {
    if landlock_version().is_none() {
        return Ok(None);
    }
    let ruleset = Ruleset::default()
        .handle_access(rights())
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    // Nobody makes devices, wherever it may write.
    let make = rights() & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let on_file = AccessFs::from_file(ABI::V6) & rights();
    let mut ruleset = ruleset;
    for opened in writable {
        let folder = opened.kind()?.is_dir();
        let rule = PathBeneath::new(&opened.fd, if folder { make } else { on_file });
        ruleset = ruleset.add_rule(rule).map_err(io::Error::other)?;
    }
    for device in DEVICES {
        // A container may lack one, and nobody can make it.
        if let Ok(fd) = PathFd::new(device) {
            let rule = PathBeneath::new(fd, on_file);
            ruleset = ruleset.add_rule(rule).map_err(io::Error::other)?;
        }
    }
    Ok(ruleset.into())
}
