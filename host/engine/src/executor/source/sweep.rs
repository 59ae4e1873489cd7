//! Deletes environments, caches and notes of clones that are gone.
//!
//! They are named by a digest of the folder that they were made for. So a note beside them says
//! which folder that is.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::files::{note, remove, write_whole};
use crate::executor::lock::Lock;

/// The folder of these notes, in Kael's data folder.
const OWNERS: &str = "owners";

/// Notes which folder something is made for.
pub(super) fn owns(data: &Path, key: &str, folder: &Path) -> io::Result<()> {
    let owners = data.join(OWNERS);
    let (path, folder) = (owners.join(key), folder.to_string_lossy());
    if note(&path).is_ok_and(|noted| noted == folder) {
        return Ok(());
    }
    fs::create_dir_all(&owners)?;
    write_whole(&path, folder.as_bytes())
}

/// Deletes what was made for clones that were deleted. A folder that Kael did not clone may come
/// back, so that what was made for it stays. What cannot be deleted is deleted the next time.
pub(super) async fn sweep(data: &Path) {
    let Ok(sources) = data.join("sources").canonicalize() else {
        return;
    };
    for entry in fs::read_dir(data.join(OWNERS))
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(owner) = note(&entry.path()) else {
            continue;
        };
        let owner = Path::new(&owner);
        if !owner.starts_with(&sources) || owner.exists() {
            continue;
        }
        let name = entry.file_name();
        let Some(key) = name.to_str() else {
            continue;
        };
        // Another host may still install packages for it.
        let Ok(Some(_lock)) = lock(data, key) else {
            continue;
        };
        let busy = format!("{key}.busy");
        let mut gone = true;
        for (kind, name) in [
            ("environments", key),
            ("caches", key),
            ("prepared", key),
            ("prepared", busy.as_str()),
        ] {
            gone &= remove(&data.join(kind).join(name)).await.is_ok();
        }
        if gone {
            fs::remove_file(entry.path()).ok();
        }
    }
}

fn lock(data: &Path, key: &str) -> io::Result<Option<Lock>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(data.join("locks"), flags, Mode::empty())?;
    Lock::now(&folder, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_belongs_to_clones_that_are_gone_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().canonicalize().expect("a path");
        let made = |path: &str| {
            let path = data.join(path);
            fs::create_dir_all(&path).expect("a folder");
            path
        };
        let there = made("sources/x/2/repo");
        made("locks");
        for (key, owner) in [
            ("gone", data.join("sources/x/1/repo")),
            ("there", there),
            ("else", "/no/such/folder".into()),
        ] {
            owns(&data, key, &owner).expect("a note");
            made(&format!("environments/{key}/e"));
            made(&format!("caches/{key}/pip"));
        }
        sweep(&data).await;
        for kind in ["environments", "caches", "owners"] {
            let left = |key: &str| data.join(kind).join(key).exists();
            assert_eq!(
                [left("gone"), left("there"), left("else")],
                [false, true, true],
                "{kind}"
            );
        }
    }
}
