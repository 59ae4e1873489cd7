//! The temporary folder of one call, removed with all that is in it.
//!
//! It is one open folder from its making to its removal; its path is for the action alone.

mod host;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{self, DeferredCleanup, Opened};
use super::removal::{self, Emptied};
use crate::failure::ActionError;
use crate::permit::Permit;
pub(super) use host::place;
use host::{HostFolder, Made};

/// Entries that the one thread removes at once; a folder that holds more has a thread of its own.
const AT_ONCE: u64 = 20_000;
/// How often what cannot be removed is tried again, every 20 ms: what was killed may write until it is gone.
const ROUNDS: u32 = 100;

/// A folder that only this user can enter. Dropping it removes it.
pub struct Temporary {
    /// There until it is dropped.
    folder: Option<Folder>,
    path: PathBuf,
    /// What is to go first.
    before: DeferredCleanup,
}

/// An open folder in the host's.
struct Folder {
    host: Arc<HostFolder>,
    made: Made,
    /// Of the call that it is for, which counts until the folder is gone.
    _permit: Option<Permit>,
}

impl Temporary {
    /// A new one in Kael's data folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(data: &Path) -> Result<Self, ActionError> {
        Self::made(data).map_err(|error| {
            ActionError::unavailable(format!("making a temporary folder: {error}"), None)
        })
    }

    fn made(data: &Path) -> io::Result<Self> {
        let host = HostFolder::of(data)?;
        let next = host.next.take().filter(|next| host.is_untouched(next));
        let made = next.map_or_else(|| host.make_folder(), Ok)?;
        Ok(Self {
            path: host.path_of(&made.name),
            folder: Some(Folder {
                host,
                made,
                _permit: Permit::current(),
            }),
            before: DeferredCleanup::default(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another descriptor of the folder, for the process that may write it.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn opened(&self) -> Result<Opened, ActionError> {
        let open = || {
            let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
            io::Result::Ok(Opened {
                fd: folder.made.folder.try_clone()?,
                path: self.path.clone(),
            })
        };
        open().map_err(|error| {
            ActionError::unavailable(format!("the temporary folder: {error}"), None)
        })
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> io::Result<OwnedFd> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        folder.made.folder.try_clone()
    }

    /// Removes what is left of the call before the folder, when nobody waits for either: mounts in which it stood keep it.
    pub fn remove_after(&mut self, leftover: DeferredCleanup) {
        self.before = leftover;
    }
}

/// Folders that are still being removed.
static REMOVING: AtomicUsize = AtomicUsize::new(0);

/// What is to go first, and the folder that is to be removed then.
struct Removal {
    before: DeferredCleanup,
    folder: Folder,
}

/// The thread that removes what a call need not wait for, and makes what the next one then need not wait for.
static REMOVER: LazyLock<Option<Sender<Removal>>> = LazyLock::new(|| {
    let (removals, inbox) = channel::<Removal>();
    let body = move || {
        for removal in inbox {
            let host = removal.folder.host.clone();
            removal.now();
            process::make_ahead();
            if let Some(made) = host.next.make(|| host.make_folder().ok()) {
                host.remove(&made.name).ok();
            }
            // The host's own folder goes with the last that has it.
            drop(host);
            REMOVING.fetch_sub(1, Ordering::AcqRel);
        }
    };
    let thread = thread::Builder::new().name("kael-remover".to_owned());
    thread.spawn(body).ok().map(|_| removals)
});

impl Removal {
    fn now(self) {
        drop(self.before);
        if !matches!(self.folder.remove(AT_ONCE), Ok(Emptied::Whole)) {
            by_and_by(self.folder);
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
        if let Some(folder) = self.folder.take() {
            let before = std::mem::take(&mut self.before);
            Removal { before, folder }.later();
        }
    }
}

impl Folder {
    /// Removes it, or as many entries of it.
    fn remove(&self, most: u64) -> io::Result<Emptied> {
        let emptied = removal::empty(&self.made.folder, most)?;
        if emptied == Emptied::Whole {
            self.host.remove(&self.made.name)?;
        }
        Ok(emptied)
    }

    /// Removes all of it, in as many rounds as that takes.
    fn insist(&self) -> io::Result<()> {
        let mut rounds = 0;
        loop {
            match self.remove(u64::MAX) {
                Ok(_) => return Ok(()),
                Err(error) if rounds == ROUNDS => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
            rounds += 1;
        }
    }
}

/// Removes what cannot be removed at once, in a thread of its own.
fn by_and_by(folder: Folder) {
    REMOVING.fetch_add(1, Ordering::AcqRel);
    let remove = move || {
        if let Err(error) = folder.insist() {
            let path = folder.host.path_of(&folder.made.name);
            let path = path.display();
            tracing::warn!("the temporary folder {path} cannot be removed: {error}");
        }
        drop(folder);
        REMOVING.fetch_sub(1, Ordering::AcqRel);
    };
    let thread = thread::Builder::new().name("kael-insister".to_owned());
    if thread.spawn(remove).is_err() {
        REMOVING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits until every folder has been removed, or the time is over. What was made for a call that did not come is removed, too.
/// Whether nothing is left; the next host removes what is.
pub(super) fn finish(within: Duration) -> bool {
    let deadline = Instant::now() + within;
    process::clear_ahead();
    host::clear_ahead();
    while REMOVING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(100));
    }
    host::finish(deadline.saturating_duration_since(Instant::now()));
    REMOVING.load(Ordering::Acquire) == 0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_folder_is_removed_and_not_what_its_path_names_now() {
        let data = tempfile::tempdir().expect("a folder");
        let victim = tempfile::tempdir().expect("a folder");
        fs::write(victim.path().join("precious"), "x").expect("a file");
        let temporary = Temporary::new(data.path()).expect("a folder");
        let path = temporary.path().to_owned();
        fs::create_dir_all(path.join("a/b")).expect("folders");
        fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o0)).expect("a mode");
        let moved = path.with_extension("moved");
        fs::rename(&path, &moved).expect("a name");
        symlink(victim.path(), &path).expect("a link");
        drop(temporary);
        let empty = || fs::read_dir(&moved).is_ok_and(|mut left| left.next().is_none());
        let within = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            empty()
        });
        assert!(within && victim.path().join("precious").exists());
    }
}
