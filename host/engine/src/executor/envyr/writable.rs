//! What an action may write beside its `TMPDIR`: opened, and looked at as what was opened.

use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::entry::{Entry, brief};
use crate::catalog::Definition;
use crate::executor::process::Opened;
use crate::failure::ActionError;

/// What a definition's paths are looked up from, and what none of them may hold.
pub(super) struct Places<'a> {
    pub(super) repo: &'a Path,
    pub(super) data: &'a Path,
    pub(super) home: Option<PathBuf>,
}

/// Opens what a definition names in `writable`.
pub(super) fn named(
    definition: &Definition,
    places: &Places<'_>,
) -> Result<Vec<Opened>, ActionError> {
    let open = |path: &String| {
        open(path, places).map_err(|problem| {
            let location = &definition.location;
            let message = format!("{location}: field 'writable' `{path}` {problem}");
            ActionError::unavailable(message, None)
        })
    };
    definition.writable.iter().map(open).collect()
}

fn open(path: &str, places: &Places<'_>) -> Result<Opened, String> {
    let relative = !path.starts_with('/') && !path.starts_with("~/");
    let at = match (path.strip_prefix("~/"), &places.home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_), None) => return Err("cannot be found: HOME is not set".to_owned()),
        (None, _) => places.repo.join(path),
    };
    let opened = Opened::new(&at).map_err(|problem| match problem.kind() {
        std::io::ErrorKind::NotFound => "does not exist: make it before the action runs".to_owned(),
        _ => format!("cannot be opened: {}", brief(&problem)),
    })?;
    let kind = opened.kind().map_err(|problem| brief(&problem))?;
    if !(kind.is_dir() || kind.is_file() || kind.is_char_device()) {
        return Err("is neither a folder nor a file".to_owned());
    }
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (repo, data) = (real(places.repo), real(places.data));
    let here = opened.path.as_path();
    if relative && !here.starts_with(&repo) {
        return Err(format!(
            "leads out of the actions folder to {}: name that by its whole path",
            here.display()
        ));
    }
    if repo.starts_with(here) {
        return Err("holds the actions repo, which no action may rewrite".to_owned());
    }
    if data.starts_with(here) || here.starts_with(&data) {
        return Err("is where Kael keeps its own things".to_owned());
    }
    let kernels = ["/proc", "/sys"]
        .iter()
        .any(|folder| here.starts_with(folder));
    if kernels || here == Path::new("/dev") {
        return Err("belongs to the kernel".to_owned());
    }
    Ok(opened)
}

/// The file that envyr writes at every run, and never reads when it was called with `--autogen`.
pub(super) fn notes(entry: &Entry) -> Result<Opened, ActionError> {
    let open = || {
        let folder = rustix::fs::open(
            &entry.folder,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
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
            Err(problem) => return Err(problem),
        }
        let mode = Mode::from_raw_mode(0o644);
        look(OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK, mode)?;
        look(OFlags::PATH, Mode::empty())
    };
    let problem = |problem: &std::io::Error| {
        let file = entry.folder.join(".envyr/meta.json");
        let hint = "delete the folder .envyr of the source, and let this user write there";
        ActionError::unavailable(
            format!("{}: {}", file.display(), brief(problem)),
            Some(hint.to_owned()),
        )
    };
    let opened = open().map_err(|errno| problem(&errno.into()))?;
    let stat = rustix::fs::fstat(&opened).map_err(|errno| problem(&errno.into()))?;
    let opened = Opened::of(opened).map_err(|error| problem(&error))?;
    // A second name for a file would be a way to write something else.
    if !opened.kind().is_ok_and(|kind| kind.is_file()) || stat.st_nlink != 1 {
        let other = std::io::Error::other("it is not a file of its own");
        return Err(problem(&other));
    }
    Ok(opened)
}
