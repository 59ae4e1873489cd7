//! The temporary folder of one call, removed with all that is in it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::ActionError;

/// A folder that only this user can enter. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Temporary {
    folder: TempDir,
    /// What is to be closed first.
    before: Option<OwnedFd>,
}

impl Temporary {
    /// An empty folder. From the second on, one is made before it is asked for.
    pub(super) fn new() -> Result<Self, ActionError> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        // It stood there for a while: it must be what was made.
        let ready = ready(Option::take).filter(|folder| is_ours(folder.path()));
        let made = ready.map_or_else(make, Ok);
        if MADE.fetch_add(1, Ordering::Relaxed) > 0 {
            Errand::Make.run();
        }
        let folder = made.map_err(|problem| {
            ActionError::unavailable(format!("making a temporary folder: {problem}"), None)
        })?;
        Ok(Self {
            folder,
            before: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Closes the mounts in which the folder stood before it is removed, when nobody waits for either.
    pub(super) fn remove_after(&mut self, mounts: Option<OwnedFd>) {
        self.before = mounts;
    }
}

fn make() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("kael-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
}

/// A folder of this user's alone.
fn is_ours(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.uid() == rustix::process::geteuid().as_raw()
            && metadata.mode() & 0o777 == 0o700
    })
}

/// The folder that the next call takes.
static READY: Mutex<Option<TempDir>> = Mutex::new(None);

fn ready<T>(change: impl FnOnce(&mut Option<TempDir>) -> T) -> T {
    change(&mut READY.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The host is about to end: no folder is made any more.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Errands that have not been run.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// What a call need not wait for.
enum Errand {
    /// Makes a folder for the next call.
    Make,
    /// Closes the mounts in which a folder stood, and removes the folder.
    Remove(Option<OwnedFd>, PathBuf),
}

/// The thread that runs errands.
static RUNNER: LazyLock<Option<Sender<Errand>>> = LazyLock::new(|| {
    let (errands, inbox) = channel::<Errand>();
    let body = move || {
        for errand in inbox {
            errand.now();
            RUNNING.fetch_sub(1, Ordering::AcqRel);
        }
    };
    let thread = thread::Builder::new().name("kael-runner".to_owned());
    thread.spawn(body).ok().map(|_| errands)
});

impl Errand {
    fn now(self) {
        match self {
            Self::Make => ready(|ready| {
                if ready.is_none() && !ENDING.load(Ordering::Acquire) {
                    // Where none can be made, the next call makes its own, and says why it could not.
                    *ready = make().ok();
                }
            }),
            Self::Remove(before, folder) => {
                drop(before);
                if fs::remove_dir_all(&folder).is_err() {
                    by_and_by(folder);
                }
            }
        }
    }

    /// Where there is no thread for it, it is done at once.
    fn run(self) {
        let Some(runner) = RUNNER.as_ref() else {
            return self.now();
        };
        RUNNING.fetch_add(1, Ordering::AcqRel);
        if let Err(SendError(errand)) = runner.send(self) {
            RUNNING.fetch_sub(1, Ordering::AcqRel);
            errand.now();
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.folder.disable_cleanup(true);
        Errand::Remove(self.before.take(), self.path().to_owned()).run();
    }
}

/// Removes what cannot be removed at once, in a thread of its own.
fn by_and_by(path: PathBuf) {
    RUNNING.fetch_add(1, Ordering::AcqRel);
    let remove = move || {
        if let Err(problem) = insist(&path) {
            let path = path.display();
            tracing::warn!("the temporary folder {path} cannot be removed: {problem}");
        }
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    };
    let thread = thread::Builder::new().name("kael-insister".to_owned());
    if thread.spawn(remove).is_err() {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits until every folder has been removed, or the time is over.
pub(super) fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    ENDING.store(true, Ordering::Release);
    while RUNNING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(100));
    }
    drop(ready(Option::take));
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
