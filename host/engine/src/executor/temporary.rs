//! The temporary folder of one call, removed with all that is in it.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::prewarm::Prewarmed;
use super::process::{self, DeferredCleanup};
use crate::failure::ActionError;
use crate::permit::Permit;

/// A folder that only this user can enter. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Temporary {
    folder: TempDir,
    /// What is to go first.
    before: DeferredCleanup,
    /// Of the call that it is for.
    permit: Option<Permit>,
}

/// The next call's.
static NEXT: Prewarmed<Temporary> = Prewarmed::new();

/// Whether a folder that was made a while ago is as it was made: it may have been tidied away and made by another user, or
/// have met an action that may write where temporary folders are.
fn is_untouched(folder: &Path) -> bool {
    let is_private = |folder: &Path| {
        let metadata = fs::symlink_metadata(folder)?;
        let own = metadata.uid() == rustix::process::geteuid().as_raw();
        io::Result::Ok(own && metadata.is_dir() && metadata.mode() & 0o7777 == 0o700)
    };
    let is_empty = |folder: &Path| io::Result::Ok(fs::read_dir(folder)?.next().is_none());
    is_private(folder).unwrap_or(false) && is_empty(folder).unwrap_or(false)
}

impl Temporary {
    pub(super) fn new() -> Result<Self, ActionError> {
        let next = NEXT.take().filter(|next| is_untouched(next.path()));
        let mut temporary = match next {
            Some(next) => next,
            None => Self::made().map_err(|problem| {
                ActionError::unavailable(format!("making a temporary folder: {problem}"), None)
            })?,
        };
        temporary.permit = Permit::current();
        Ok(temporary)
    }

    fn made() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("kael-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()?;
        Ok(Self {
            folder,
            before: DeferredCleanup::default(),
            permit: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes what is left of the call before the folder, when nobody waits for either: mounts in which it stood keep it.
    pub(super) fn remove_after(&mut self, leftover: DeferredCleanup) {
        self.before = leftover;
    }
}

/// Folders that are still being removed.
static REMOVING: AtomicUsize = AtomicUsize::new(0);

/// What is to go first, and the folder that is to be removed then.
struct Removal {
    before: DeferredCleanup,
    folder: PathBuf,
    permit: Option<Permit>,
}

/// The thread that removes what a call need not wait for, and makes what the next one then need not wait for.
static REMOVER: LazyLock<Option<Sender<Removal>>> = LazyLock::new(|| {
    let (removals, inbox) = channel::<Removal>();
    let body = move || {
        for removal in inbox {
            removal.now();
            process::make_ahead();
            NEXT.make(|| Temporary::made().ok());
            REMOVING.fetch_sub(1, Ordering::AcqRel);
        }
    };
    let thread = thread::Builder::new().name("kael-remover".to_owned());
    thread.spawn(body).ok().map(|_| removals)
});

impl Removal {
    fn now(self) {
        drop(self.before);
        if fs::remove_dir_all(&self.folder).is_err() {
            by_and_by(self.folder, self.permit);
        }
    }

    /// Closing mounts, removing groups and freeing blocks takes its time, and nobody waits for it. Where there is no thread for that it is
    /// done at once.
    fn later(self) {
        let Some(remover) = REMOVER.as_ref() else {
            return self.now();
        };
        REMOVING.fetch_add(1, Ordering::AcqRel);
        if let Err(SendError(removal)) = remover.send(self) {
            REMOVING.fetch_sub(1, Ordering::AcqRel);
            removal.now();
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.folder.disable_cleanup(true);
        let removal = Removal {
            before: std::mem::take(&mut self.before),
            folder: self.path().to_owned(),
            permit: self.permit.take(),
        };
        removal.later();
    }
}

/// Removes what cannot be removed at once, in a thread of its own.
fn by_and_by(path: PathBuf, permit: Option<Permit>) {
    REMOVING.fetch_add(1, Ordering::AcqRel);
    let remove = move || {
        let _permit = permit;
        if let Err(problem) = insist(&path) {
            let path = path.display();
            tracing::warn!("the temporary folder {path} cannot be removed: {problem}");
        }
        REMOVING.fetch_sub(1, Ordering::AcqRel);
    };
    let thread = thread::Builder::new().name("kael-insister".to_owned());
    if thread.spawn(remove).is_err() {
        REMOVING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits until every folder has been removed, or the time is over. What was made for a call that did not come is removed, too.
pub(super) fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    process::clear_ahead();
    NEXT.clear();
    while REMOVING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(100));
    }
}

/// An action may have taken away its own right to enter a folder; and what was killed may write until it is gone.
fn insist(path: &Path) -> io::Result<()> {
    let mut rounds = 0;
    loop {
        open_up(path).ok();
        match fs::remove_dir_all(path) {
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if rounds < 100 => thread::sleep(Duration::from_millis(20)),
            done => return done,
        }
        rounds += 1;
    }
}

/// Gives back the right to enter every folder. Symbolic links are no folders.
fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_touched_is_given_to_no_call() {
        let folder = Temporary::made().expect("a folder");
        let path = folder.path();
        assert!(is_untouched(path));
        // Only root can give a folder away.
        if std::os::unix::fs::chown(path, Some(65534), None).is_ok() {
            assert!(!is_untouched(path));
            std::os::unix::fs::chown(path, Some(0), None).expect("an owner");
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(!is_untouched(path));
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("a mode");
        fs::write(path.join(".planted"), "").expect("a file");
        assert!(!is_untouched(path));
        fs::remove_file(path.join(".planted")).expect("a file");
        assert!(is_untouched(path));
        let link = path.with_extension("link");
        std::os::unix::fs::symlink(path, &link).expect("a link");
        assert!(!is_untouched(&link));
        fs::remove_file(&link).expect("a link");
        fs::remove_dir(path).expect("it was empty");
        assert!(!is_untouched(path));
    }

    #[test]
    fn folders_that_were_closed_are_removed_too() {
        let temporary = Temporary::new().expect("a folder");
        let path = temporary.path().to_owned();
        fs::create_dir_all(path.join("a/b")).expect("folders");
        fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o0)).expect("a mode");
        drop(temporary);
        finish(Duration::from_secs(5));
        assert!(!path.exists());
    }
}
