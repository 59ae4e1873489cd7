//! The folder of a path among the grants.
//!
//! A folder is opened once a call, and every path is looked up from that descriptor by cap-std, so
//! neither `..` nor a link that changes meanwhile leads out of it.

use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use kael_engine::executor::granted::{Places, Refused, Use, by_descriptor};
use kael_engine::executor::process::Opened;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;
use kael_engine::policy::grants::FsGrant;

use crate::refusal::{invalid, not_granted};

/// Do not wait for the other end of a FIFO.
pub(super) const NONBLOCK: i32 = 0o4000;

/// A path of a script, without `.` and `//`.
pub(super) fn plain(path: &str) -> Result<String, ActionError> {
    let shown: String = path
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect();
    if !path.starts_with('/') || path.contains('\0') {
        return Err(invalid(format!(
            "the path `{shown}` must be absolute, such as /data/file"
        )));
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(invalid(format!("the path `{shown}` may not have `..`"))),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

/// What is below a granted folder.
fn inside<'a>(grant: &FsGrant, path: &'a str) -> Option<&'a str> {
    let base = grant.seen_as.trim_end_matches('/');
    let rest = path.strip_prefix(base)?;
    match rest {
        "" | "/" => Some("."),
        rest => rest.strip_prefix('/'),
    }
}

pub(super) fn find<'a>(
    path: &str,
    writing: bool,
    grants: &'a Grants,
) -> Result<Vec<&'a FsGrant>, ActionError> {
    let fits = |grant: &FsGrant| inside(grant, path).is_some() && (grant.writable || !writing);
    grants.in_each(|file| &file.fs, fits).map_err(|file| {
        let shown: String = path
            .chars()
            .take(200)
            .flat_map(char::escape_debug)
            .collect();
        let (verb, mode) = match writing {
            true => ("writing", "read-write"),
            false => ("reading", "read"),
        };
        let folder = Path::new(&shown)
            .parent()
            .map_or("/".into(), Path::to_string_lossy);
        let grant = format!("fs: [{{ path: {folder}, mode: {mode} }}]");
        not_granted(&format!("{verb} {shown}"), &grant, file)
    })
}

/// A path below a granted folder.
pub(super) struct Place {
    folders: Vec<(String, bool)>,
    inner: String,
}

/// A folder that is open, and a path from it.
pub(super) struct At {
    pub(super) dir: Dir,
    pub(super) path: String,
}

impl Place {
    pub(super) fn of(path: &str, writing: bool, grants: &Grants) -> Result<Self, ActionError> {
        let found = find(path, writing, grants)?;
        let inner = found.first().and_then(|grant| inside(grant, path));
        Ok(Self {
            inner: inner.unwrap_or(".").to_owned(),
            folders: found
                .iter()
                .map(|grant| (grant.path.clone(), writing))
                .collect(),
        })
    }

    /// Opens the folder of the first policy, once it lies in those of the others.
    pub(super) fn open(&self, places: &Places) -> Result<At, ActionError> {
        let mut opened = Vec::new();
        for (path, writing) in &self.folders {
            let purpose = if *writing { Use::Write } else { Use::Read };
            let found = places
                .open(path, purpose)
                .map_err(|refused| match refused {
                    Refused::Missing => ActionError::unavailable(
                        format!("the folder `{path}`, which a grant names, is not there"),
                        None,
                    ),
                    Refused::For(why) => {
                        ActionError::unavailable(format!("the folder `{path}` {why}"), None)
                    }
                })?;
            opened.push(found);
        }
        let mut opened = opened.into_iter();
        let first = opened.next().ok_or_else(|| invalid("no folder"))?;
        let own = real(&first)?;
        for (other, (path, _)) in opened.zip(self.folders.iter().skip(1)) {
            if !own.starts_with(real(&other)?) {
                let message =
                    format!("the folder lies outside of `{path}`, which another policy names");
                return Err(ActionError::new(ErrorKind::Denied, message));
            }
        }
        // Uses the folder that was checked, even if its path leads elsewhere now.
        let dir = Dir::open_ambient_dir(by_descriptor(&first), ambient_authority());
        let dir = dir.map_err(|error| {
            let path = self.folders.first().map_or("", |(path, _)| path.as_str());
            ActionError::unavailable(
                format!("the folder `{path}` cannot be opened: {error}"),
                None,
            )
        })?;
        Ok(At {
            dir,
            path: self.inner.clone(),
        })
    }
}

fn real(opened: &Opened) -> Result<PathBuf, ActionError> {
    std::fs::read_link(by_descriptor(opened))
        .map_err(|error| ActionError::unavailable(error.to_string(), None))
}
