//! Checks Kael's folders: they must exist, be writable, and belong to this user alone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{Finding, Fix, Status};

const NAME_ANOTHER: &str = "let this user write there, or name another folder with KAEL_DATA";
const FIX: &str = "kael-host doctor --fix";

/// The data folder. This does not create it.
pub(super) fn data(data: &Path) -> Finding {
    let shown = data.display();
    let cannot = |error: io::Error| {
        let detail = format!("{shown} cannot be written: {error}");
        Finding::new("data", Status::Missing, detail, NAME_ANOTHER)
    };
    match fs::metadata(data) {
        Ok(_) => match tempfile::tempfile_in(data) {
            Ok(_) => Finding::ok("data", format!("{shown} can be written")),
            Err(error) if closed_by_its_owner(data) => Finding {
                remedy: Some(format!("{FIX} lets you write there (chmod u+rwx)")),
                fix: Some(Fix::Open(data.to_owned())),
                ..cannot(error)
            },
            Err(error) => cannot(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = data.ancestors().find(|path| path.exists());
            if let Some(error) = above.and_then(|above| access(above, Access::WRITE_OK).err()) {
                return cannot(error.into());
            }
            Finding {
                fix: Some(Fix::Make(data.to_owned())),
                ..Finding::new(
                    "data",
                    Status::Limited,
                    format!("{shown} is not there yet, and made when it is needed"),
                    &format!("{FIX} makes it"),
                )
            }
        }
        Err(error) => cannot(error),
    }
}

/// The folders of kept results and of compiled WebAssembly. Kael does not use one that other users
/// can read or change.
pub(super) fn caches(data: &Path) -> Finding {
    let base = data.join("cache");
    let results = fs::read_dir(&base).into_iter().flatten().flatten();
    let below = results
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    let (mut wrong, mut foreign, mut there) = (Vec::new(), Vec::new(), 0);
    for (folder, others) in [(base.clone(), 0o077), (data.join("wasm"), 0o022)]
        .into_iter()
        .chain(below.map(|folder| (folder, 0o077)))
    {
        let Ok(metadata) = fs::symlink_metadata(&folder) else {
            continue;
        };
        there += 1;
        if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
            foreign.push(folder);
        } else if metadata.mode() & others != 0 {
            wrong.push(folder);
        }
    }
    let shown = |folders: &[PathBuf]| {
        let folders = folders.iter().map(|folder| folder.display().to_string());
        folders.collect::<Vec<_>>().join(", ")
    };
    if !foreign.is_empty() {
        let detail = format!(
            "{} is not a folder of this user, so nothing is kept there",
            shown(&foreign)
        );
        let remedy = format!("remove it: rm -r {}", shown(&foreign));
        return Finding::new("cache", Status::Limited, detail, &remedy);
    }
    if !wrong.is_empty() {
        let detail = format!("others can open {}: nothing is kept there", shown(&wrong));
        return Finding {
            fix: Some(Fix::Close(wrong)),
            ..Finding::new(
                "cache",
                Status::Limited,
                detail,
                &format!("{FIX} makes it yours alone (chmod 700)"),
            )
        };
    }
    let detail = match there {
        0 => format!(
            "{} is not there yet, and made when a result is kept",
            base.display()
        ),
        _ => format!("{} is this user's alone", base.display()),
    };
    Finding::ok("cache", detail)
}

/// Whether it belongs to this user, who only lacks permission bits.
fn closed_by_its_owner(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| {
        let own = metadata.uid() == rustix::process::geteuid().as_raw();
        own && metadata.is_dir() && metadata.mode() & 0o700 != 0o700
    })
}
