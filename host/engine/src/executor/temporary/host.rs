//! The folder that holds the temporary folders of one host process, and the end of those that a killed host has left.
//!
//! It lies in `tmp` of Kael's data folder, which no action may be given to write. Beside it stands a lock file that its host
//! holds for as long as it lives: whose lock can be taken has died, and the next host removes what is left of it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::executor::prewarm::Prewarmed;
use crate::executor::removal::{self, FOLDER};

/// Where in Kael's data folder all of them lie.
const PLACE: &str = "tmp";
/// What follows a folder's name in that of its lock.
const LOCK: &str = ".lock";
/// Data folders that one host has a folder in; one more, and the oldest goes when its calls have ended.
const MOST: usize = 8;
/// Names that are tried: others are those of hosts that had the same pid.
const NAMES: u32 = 10_000;

/// The folder, open, and the lock that says that its host lives.
pub(super) struct HostFolder {
    place: OwnedFd,
    name: String,
    folder: OwnedFd,
    path: PathBuf,
    count: AtomicU64,
    _lock: File,
    /// The next call's.
    pub(super) next: Prewarmed<Made>,
}

/// A new folder in it.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) folder: OwnedFd,
}

/// Those of this process, by the data folders that they lie in.
static OWN: Mutex<Vec<(PathBuf, Arc<HostFolder>)>> = Mutex::new(Vec::new());

/// Threads that remove what killed hosts have left.
static SWEEPING: AtomicUsize = AtomicUsize::new(0);

/// The folder `tmp` of a data folder by its real path, if it is there: no action may write what lies below.
pub(in crate::executor) fn place(data: &Path) -> Option<PathBuf> {
    data.join(PLACE).canonicalize().ok()
}

impl HostFolder {
    /// This host's in a data folder. It is made when there is none.
    pub(super) fn of(data: &Path) -> io::Result<Arc<Self>> {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = own.iter().find(|(place, _)| place == data);
        if let Some((_, known)) = known
            && known.is_there()
        {
            return Ok(known.clone());
        }
        // Data folders may have been deleted meanwhile, and a host that has one for each tenant keeps few of them open.
        own.retain(|(place, known)| place != data && known.is_there());
        let surplus = (own.len() + 1).saturating_sub(MOST);
        own.drain(..surplus);
        let made = Arc::new(Self::make(data)?);
        own.push((data.to_owned(), made.clone()));
        Ok(made)
    }

    fn make(data: &Path) -> io::Result<Self> {
        let (place, path) = open_place(data)?;
        let host = std::process::id();
        for count in 0..NAMES {
            let name = format!("{host}-{count}");
            let Some(lock) = lock_new(&place, &name)? else {
                continue;
            };
            match rustix::fs::mkdirat(&place, &*name, Mode::RWXU) {
                Ok(()) => {}
                // Somebody has deleted the lock of a folder that is there.
                Err(Errno::EXIST) => {
                    unlock(&place, &name);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let folder = rustix::fs::openat(&place, &*name, FOLDER, Mode::empty())?;
            sweep_later(&place, &name);
            return Ok(Self {
                path: path.join(&name),
                place,
                name,
                folder,
                count: AtomicU64::new(0),
                _lock: lock,
                next: Prewarmed::new(),
            });
        }
        Err(Errno::EXIST.into())
    }

    fn is_there(&self) -> bool {
        is_named(&self.place, &self.name, &self.folder)
    }

    /// Makes an empty folder that only this user can enter.
    pub(super) fn make_folder(&self) -> io::Result<Made> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("kael-{count}");
        rustix::fs::mkdirat(&self.folder, &*name, Mode::RWXU)?;
        let folder = rustix::fs::openat(&self.folder, &*name, FOLDER, Mode::empty())?;
        Ok(Made { name, folder })
    }

    /// Whether a folder that was made a while ago is as it was made: somebody may have tidied it away.
    pub(super) fn is_untouched(&self, made: &Made) -> bool {
        let private = rustix::fs::fstat(&made.folder)
            .is_ok_and(|stat| Mode::from_raw_mode(stat.st_mode) == Mode::RWXU);
        private
            && is_named(&self.folder, &made.name, &made.folder)
            && removal::is_empty(&made.folder).unwrap_or(false)
    }

    /// Where a folder in it is.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes a folder in it that is empty.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for HostFolder {
    fn drop(&mut self) {
        if let Some(made) = self.next.take() {
            self.remove(&made.name).ok();
        }
        // Where something is left, the next host finds the lock free.
        let removed = rustix::fs::unlinkat(&self.place, &*self.name, AtFlags::REMOVEDIR);
        if matches!(removed, Ok(()) | Err(Errno::NOENT)) {
            unlock(&self.place, &self.name);
        }
    }
}

/// Gives up what was made ahead, in every data folder.
pub(super) fn clear_ahead() {
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, host) in own.iter() {
        if let Some(made) = host.next.clear() {
            host.remove(&made.name).ok();
        }
    }
}

/// Gives up this host's folders: each goes with the last call that has a folder in it. Waits a little for what removes those of
/// killed hosts; the next host goes on with it.
pub(super) fn finish(within: Duration) {
    let own = std::mem::take(&mut *OWN.lock().unwrap_or_else(PoisonError::into_inner));
    drop(own);
    let deadline = Instant::now() + within.min(Duration::from_millis(250));
    while SWEEPING.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Opens the place in a data folder: this user's, and nobody else can enter it. A user may have made it a link to where there
/// is more room.
fn open_place(data: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    std::fs::create_dir_all(data)?;
    let path = data.join(PLACE);
    match rustix::fs::mkdirat(CWD, &path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = rustix::fs::open(&path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&place)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        let error = format!("{} belongs to another user", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
    }
    if Mode::from_raw_mode(stat.st_mode) != Mode::RWXU {
        rustix::fs::fchmod(&place, Mode::RWXU)?;
    }
    let real = rustix::fs::readlink(format!("/proc/self/fd/{}", place.as_raw_fd()), Vec::new())?;
    Ok((place, OsString::from_vec(real.into_bytes()).into()))
}

fn is_named(place: &OwnedFd, name: &str, opened: &OwnedFd) -> bool {
    let named = rustix::fs::statat(place, name, AtFlags::SYMLINK_NOFOLLOW);
    matches!((named, rustix::fs::fstat(opened)), (Ok(named), Ok(open)) if (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino))
}

/// Removes a lock that this host holds.
fn unlock(place: &OwnedFd, name: &str) {
    let lock = format!("{name}{LOCK}");
    rustix::fs::unlinkat(place, &*lock, AtFlags::empty()).ok();
}

/// A new lock, held. None where the name is taken, or a sweep of another host has come first.
fn lock_new(place: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    let name = format!("{name}{LOCK}");
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(place, &*name, flags, Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(is_named(place, &name, &file).then(|| file.into())),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => {
            rustix::fs::unlinkat(place, &*name, AtFlags::empty()).ok();
            Err(error.into())
        }
    }
}

/// Removes what killed hosts have left, in a thread of its own.
fn sweep_later(place: &OwnedFd, own: &str) {
    let Ok(place) = place.try_clone() else {
        return;
    };
    let own = own.to_owned();
    SWEEPING.fetch_add(1, Ordering::AcqRel);
    let work = move || {
        sweep(&place, &own);
        SWEEPING.fetch_sub(1, Ordering::AcqRel);
    };
    let thread = thread::Builder::new().name("kael-sweeper".to_owned());
    if thread.spawn(work).is_err() {
        SWEEPING.fetch_sub(1, Ordering::AcqRel);
    }
}

fn sweep(place: &OwnedFd, own: &str) {
    let mut left = Vec::new();
    for entry in Dir::read_from(place).into_iter().flatten().flatten() {
        let name = entry.file_name().to_str().ok();
        let host = name.and_then(|name| name.strip_suffix(LOCK));
        left.extend(host.filter(|host| *host != own).map(str::to_owned));
    }
    for host in left {
        if let Err(error) = remove_left(place, &host) {
            tracing::warn!("what a killed host has left in tmp/{host} cannot be removed: {error}");
        }
    }
}

/// Removes the folder of a host that is dead: whose lock can be taken.
fn remove_left(place: &OwnedFd, host: &str) -> io::Result<()> {
    let lock = format!("{host}{LOCK}");
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(place, &*lock, flags, Mode::empty()) else {
        return Ok(());
    };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    match rustix::fs::openat(place, host, FOLDER, Mode::empty()) {
        Ok(folder) => {
            removal::empty(&folder, u64::MAX)?;
            rustix::fs::unlinkat(place, host, AtFlags::REMOVEDIR)?;
        }
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::unlinkat(place, &*lock, AtFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_folders_of_dead_hosts_go_and_those_of_living_ones_stay() {
        let data = tempfile::tempdir().expect("a folder");
        let living = HostFolder::make(data.path()).expect("a folder");
        let place = data.path().join(PLACE);
        // The sweep that `make` began could hold the lock that the sweep below wants.
        while SWEEPING.load(Ordering::Acquire) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        // A host that was killed holds its lock no more.
        fs::create_dir_all(place.join("77-0/kael-3/deep")).expect("folders");
        fs::write(place.join("77-0.lock"), "").expect("a file");
        let made = living.make_folder().expect("a folder");
        sweep(&living.place, "another");
        let there = |name: &str| place.join(name).exists();
        assert!(!there("77-0") && !there("77-0.lock"));
        assert!(there(&living.name) && living.path_of(&made.name).exists());
        // Without a lock there is no telling.
        fs::create_dir(place.join("78-0")).expect("a folder");
        sweep(&living.place, "another");
        assert!(there("78-0"));
        living.remove(&made.name).expect("it was empty");
        let name = living.name.clone();
        drop(living);
        assert!(!there(&name) && !there(&format!("{name}{LOCK}")));
    }

    #[test]
    fn a_folder_that_was_touched_is_given_to_no_call() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().expect("a folder");
        let host = HostFolder::make(data.path()).expect("a folder");
        let made = host.make_folder().expect("a folder");
        let path = host.path_of(&made.name);
        assert!(host.is_untouched(&made));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(!host.is_untouched(&made));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
        fs::write(path.join(".planted"), "").expect("a file");
        assert!(!host.is_untouched(&made));
        fs::remove_file(path.join(".planted")).expect("a file");
        assert!(host.is_untouched(&made));
        fs::rename(&path, path.with_extension("moved")).expect("a name");
        std::os::unix::fs::symlink(path.with_extension("moved"), &path).expect("a link");
        assert!(!host.is_untouched(&made));
    }
}
