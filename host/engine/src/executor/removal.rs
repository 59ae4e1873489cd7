//! Removes a folder with all that is in it, however deep, with two descriptors and no recursion.
//!
//! A folder that holds others is emptied by moving these up into the root, one by one, where they are emptied in turn. So a
//! tree that a hostile program made 100,000 levels deep takes neither stack nor descriptors, and no path is looked at twice.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, RenameFlags, SeekFrom, renameat_with, unlinkat};
use rustix::io::Errno;

/// Bytes of entries that are read at once.
const BUFFER: usize = 32 << 10;
/// A name for a folder that is moved up is tried this often: the root may hold one of that name.
const NAMES: u32 = 64;

/// How a folder is opened that is to be emptied: itself, and not what a link leads to.
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What emptying a folder came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptied {
    /// Nothing is left in it.
    Whole,
    /// As many entries were removed as were allowed, and more are left.
    Enough,
}

/// Removes what is at a path: a folder with all that is in it, or anything else by itself. What is not there is removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let cwd = rustix::fs::CWD;
    match unlinkat(cwd, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // A folder; some file systems answer EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match unlinkat(cwd, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let folder = open(cwd, path)?;
    empty(&folder, u64::MAX)?;
    drop(folder);
    match unlinkat(cwd, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes up to `most` entries of what is in a folder, which was opened with [`FOLDER`].
pub(super) fn empty(folder: &OwnedFd, most: u64) -> io::Result<Emptied> {
    // Its maker may have taken away its own right to write there.
    rustix::fs::fchmod(folder, Mode::RWXU)?;
    let mut emptier = Emptier {
        root: folder,
        left: most,
        count: 0,
    };
    // What is moved up while the root is read may be seen in this round or in the next.
    while emptier.left > 0 {
        if emptier.round()? == 0 {
            return Ok(Emptied::Whole);
        }
    }
    Ok(Emptied::Enough)
}

struct Emptier<'a> {
    root: &'a OwnedFd,
    left: u64,
    count: u32,
}

impl Emptier<'_> {
    /// Removes every entry that is seen in the root: how many these were.
    fn round(&mut self) -> io::Result<u64> {
        let root = self.root;
        each(root, |name| {
            if self.left == 0 {
                return Ok(false);
            }
            if unlink(root, name)? == Unlinked::Full {
                let folder = open(root, name)?;
                let whole = self.lift(&folder)?;
                drop(folder);
                // A folder of which not all was taken out is left for the next round.
                if whole && unlink(root, name)? == Unlinked::Full {
                    return Err(Errno::NOTEMPTY.into());
                }
            }
            self.left = self.left.saturating_sub(1);
            Ok(true)
        })
    }

    /// Empties a folder: what is no folder that holds something goes, and the rest moves up. False when it was enough before.
    fn lift(&mut self, folder: &OwnedFd) -> io::Result<bool> {
        // Entries may be passed over when a folder changes while it is read.
        while each(folder, |name| {
            if self.left == 0 {
                return Ok(false);
            }
            if unlink(folder, name)? == Unlinked::Full {
                self.move_up(folder, name)?;
            }
            self.left = self.left.saturating_sub(1);
            Ok(true)
        })? > 0
        {
            if self.left == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn move_up(&mut self, from: &OwnedFd, name: &CStr) -> io::Result<()> {
        for _ in 0..NAMES {
            self.count = self.count.wrapping_add(1);
            let new = format!(".kael-{}-{}", std::process::id(), self.count);
            match renameat_with(from, name, self.root, &*new, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST) => {}
                // A folder that is moved must be writable: its `..` changes.
                Err(Errno::ACCESS) => drop(open(from, name)?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }
}

/// Whether a folder, which was opened with [`FOLDER`], holds nothing.
pub(super) fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    let mut empty = true;
    each(folder, |_| {
        empty = false;
        Ok(false)
    })?;
    Ok(empty)
}

#[derive(PartialEq, Eq)]
enum Unlinked {
    Gone,
    /// It is a folder that holds something.
    Full,
}

/// Removes one entry, if it holds nothing.
fn unlink(folder: &OwnedFd, name: &CStr) -> io::Result<Unlinked> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(Unlinked::Gone),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Unlinked::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Unlinked::Full),
        Err(error) => Err(error.into()),
    }
}

/// Opens a folder and no link, and gives its owner back the right to enter and change it.
fn open<P: rustix::path::Arg + Copy>(at: impl AsFd, name: P) -> io::Result<OwnedFd> {
    let at = at.as_fd();
    match rustix::fs::openat(at, name, FOLDER, Mode::empty()) {
        Ok(folder) => {
            rustix::fs::fchmod(&folder, Mode::RWXU)?;
            Ok(folder)
        }
        Err(Errno::ACCESS) => {
            allow(at, name)?;
            Ok(rustix::fs::openat(at, name, FOLDER, Mode::empty())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes the mode of a folder that cannot be read: of the very one that was opened, by the kernel's own name for it.
fn allow(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(at, name, flags, Mode::empty())?;
    let own = format!("/proc/self/fd/{}", folder.as_raw_fd());
    Ok(rustix::fs::chmod(own, Mode::RWXU)?)
}

/// Calls `with` for every entry, until it answers false: for how many it answered true.
fn each(folder: &OwnedFd, mut with: impl FnMut(&CStr) -> io::Result<bool>) -> io::Result<u64> {
    rustix::fs::seek(folder, SeekFrom::Start(0))?;
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name: CString = entry.file_name().to_owned();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if !with(&name)? {
            return Ok(count);
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A folder in memory, where there is one: removing folders takes some file systems milliseconds each.
    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().expect("a folder"))
    }

    fn deep(root: &Path, levels: usize) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(root, flags, Mode::empty()).expect("a folder");
        for _ in 0..levels {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a folder");
            at = rustix::fs::openat(&at, "d", flags, Mode::empty()).expect("a folder");
        }
    }

    #[test]
    fn a_folder_of_any_depth_goes_with_two_descriptors() {
        let keep = scratch();
        let root = keep.path().join("root");
        fs::create_dir(&root).expect("a folder");
        deep(&root, 20_000);
        // A thread with little stack, and what names the emptier gives are taken.
        fs::create_dir_all(root.join(format!(".kael-{}-1/x/y", std::process::id())))
            .expect("folders");
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        let removing = root.clone();
        let done = thread.spawn(move || remove(&removing)).expect("a thread");
        done.join().expect("it ends").expect("it is removed");
        assert!(!root.exists());
    }

    #[test]
    fn links_are_removed_and_not_followed_and_closed_folders_are_opened() {
        let keep = tempfile::tempdir().expect("a folder");
        let (root, victim) = (keep.path().join("root"), keep.path().join("victim"));
        fs::create_dir_all(root.join("a/b/c")).expect("folders");
        fs::create_dir_all(victim.join("d")).expect("folders");
        fs::write(victim.join("d/precious"), "x").expect("a file");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        fs::set_permissions(victim.join("d"), fs::Permissions::from_mode(0o750)).expect("a mode");
        symlink(&victim, root.join("link")).expect("a link");
        symlink(victim.join("d"), root.join("a/b/link")).expect("a link");
        fs::write(root.join("a/b/file"), "x").expect("a file");
        for closed in ["a/b/c", "a/b", "a", ""] {
            let closed = root.join(closed);
            fs::set_permissions(closed, fs::Permissions::from_mode(0o000)).expect("a mode");
        }
        remove(&root).expect("it is removed");
        assert!(!root.exists());
        assert!(victim.join("d/precious").exists());
        assert_eq!(mode(&victim.join("d")), 0o750);
        symlink(&victim, &root).expect("a link");
        remove(&root).expect("it is removed");
        assert!(victim.join("d/precious").exists());
        remove(&root).expect("there is nothing");
    }

    #[test]
    fn no_more_is_removed_at_once_than_is_allowed() {
        let keep = tempfile::tempdir().expect("a folder");
        for name in 0..50 {
            fs::create_dir_all(keep.path().join(format!("{name}/a/b"))).expect("folders");
        }
        let folder = open(rustix::fs::CWD, keep.path()).expect("a folder");
        let mut rounds = 0;
        while empty(&folder, 20).expect("it goes on") == Emptied::Enough {
            rounds += 1;
            assert!(rounds < 100);
        }
        assert!(rounds > 3, "{rounds}");
        assert_eq!(fs::read_dir(keep.path()).expect("there").count(), 0);
    }
}
