//! Copying and removing, in small steps: a call that ends early ends them too.

use std::io::{Error, Read as _, Result, Write as _};

use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _, PermissionsExt as _, ReadDir};

use kael_engine::units::ByteSize;

use super::place::{At, NONBLOCK};
use crate::running::Running;

/// Bytes of a file that is copied.
const MAX_COPY: u64 = 4 << 30;
/// Bytes that are copied between two looks at the call.
const PIECE: usize = 256 << 10;
/// Entries that one call removes, and levels of folders.
const MAX_REMOVED: usize = 1_000_000;
const MAX_LEVELS: usize = 200;

/// Copies a file with its mode; returns its bytes.
pub(super) fn copy(mut from: File, to: &At, running: &Running) -> Result<u64> {
    let metadata = from.metadata()?;
    let mut options = OpenOptions::new();
    // Truncated only once it is known to be another file.
    options.write(true).create(true).custom_flags(NONBLOCK);
    let mut into = to.dir.open_with(&to.path, &options)?;
    let target = into.metadata()?;
    if !target.is_file() {
        return Err(Error::other("what it is copied to is no regular file"));
    }
    if same(&metadata, &target) {
        return Err(Error::other("it is copied to itself"));
    }
    into.set_len(0)?;
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    loop {
        running.check()?;
        let read = from.read(&mut piece)?;
        if read == 0 {
            break;
        }
        copied += read as u64;
        if copied > MAX_COPY {
            let most = ByteSize::new(MAX_COPY);
            return Err(Error::other(format!("it has more than {most}")));
        }
        into.write_all(&piece[..read])?;
    }
    let mode = metadata.permissions().mode() & 0o777;
    into.set_permissions(cap_std::fs::Permissions::from_mode(mode))?;
    Ok(copied)
}

fn same(one: &cap_std::fs::Metadata, other: &cap_std::fs::Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A folder whose entries are being removed.
struct Level {
    dir: Dir,
    entries: ReadDir,
    /// Its name in the folder above.
    name: std::ffi::OsString,
}

impl Level {
    fn open(above: &Dir, name: &std::ffi::OsStr) -> Result<Self> {
        let seen = above.symlink_metadata(name)?;
        let dir = above.open_dir(name)?;
        // A link that was put there meanwhile is not followed.
        if !same(&seen, &dir.dir_metadata()?) {
            return Err(Error::other("another program changes it"));
        }
        Ok(Self {
            entries: dir.entries()?,
            dir,
            name: name.to_owned(),
        })
    }
}

/// Removes a file, or a folder with all in it. No link is followed.
pub(super) fn remove(at: &At, running: &Running) -> Result<()> {
    let path = std::path::Path::new(&at.path);
    let Some(name) = path.file_name() else {
        return Err(Error::other("it is the folder that the policy opens"));
    };
    let above = match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => at.dir.open_dir(parent)?,
        None => at.dir.try_clone()?,
    };
    if !above.symlink_metadata(name)?.is_dir() {
        return above.remove_file(name);
    }
    let mut levels = vec![Level::open(&above, name)?];
    let mut removed = 0;
    while let Some(level) = levels.last_mut() {
        running.check()?;
        let Some(entry) = level.entries.next() else {
            let name = std::mem::take(&mut level.name);
            levels.pop();
            let outer = levels.last().map_or(&above, |level| &level.dir);
            outer.remove_dir(&name)?;
            continue;
        };
        let entry = entry?;
        removed += 1;
        if removed > MAX_REMOVED {
            let error = format!("it has more than {MAX_REMOVED} entries, of which those are gone");
            return Err(Error::other(error));
        }
        if !entry.file_type()?.is_dir() {
            level.dir.remove_file(entry.file_name())?;
            continue;
        }
        if levels.len() == MAX_LEVELS {
            let error = format!("it has more than {MAX_LEVELS} levels of folders");
            return Err(Error::other(error));
        }
        if let Some(level) = levels.last() {
            let inner = Level::open(&level.dir, &entry.file_name())?;
            levels.push(inner);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Dir) {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority());
        (folder, dir.expect("a folder"))
    }

    fn at(dir: &Dir, path: &str) -> At {
        let dir = dir.try_clone().expect("a folder");
        At {
            dir,
            path: path.to_owned(),
        }
    }

    #[test]
    fn a_call_that_is_over_copies_and_removes_no_more() {
        let (_folder, dir) = folder();
        dir.create_dir_all("a/b").expect("folders");
        dir.write("a/b/c", "text").expect("a file");
        let (running, stop) = Running::new();
        drop(stop);
        let file = dir.open("a/b/c").expect("a file");
        assert!(copy(file, &at(&dir, "d"), &running).is_err());
        assert!(remove(&at(&dir, "a"), &running).is_err());
        assert_eq!(dir.read("a/b/c").expect("still there"), b"text");
    }

    #[test]
    fn copies_have_their_mode_and_trees_go_whole() {
        let (folder, dir) = folder();
        dir.create_dir_all("a/b/c").expect("folders");
        dir.write("a/x", "text").expect("a file");
        dir.write("kept", "text").expect("a file");
        std::os::unix::fs::symlink("../kept", folder.path().join("a/link")).expect("a link");
        let (running, _stop) = Running::new();
        let open = |path: &str| dir.open(path).expect("a file");
        assert_eq!(
            copy(open("a/x"), &at(&dir, "a/b/y"), &running).expect("copied"),
            4
        );
        let itself = copy(open("a/x"), &at(&dir, "a/x"), &running);
        assert_eq!(
            itself.expect_err("refused").to_string(),
            "it is copied to itself"
        );
        assert_eq!(dir.read("a/x").expect("whole"), b"text");
        remove(&at(&dir, "a"), &running).expect("removed");
        assert!(!dir.exists("a") && dir.exists("kept"));
        assert!(remove(&at(&dir, "."), &running).is_err());
    }

    #[test]
    fn folders_that_nest_too_deep_are_left() {
        let (_folder, dir) = folder();
        dir.create_dir_all("d/".repeat(MAX_LEVELS + 1))
            .expect("folders");
        let (running, _stop) = Running::new();
        let error = remove(&at(&dir, "d"), &running).expect_err("refused");
        assert_eq!(error.to_string(), "it has more than 200 levels of folders");
    }
}
