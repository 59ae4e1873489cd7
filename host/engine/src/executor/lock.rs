//! Locks among hosts that an action cannot take, nor keep a host from.
//!
//! A lock is a write lock on a file (an OFD lock of fcntl(2)), for which one has to be allowed to
//! write the file: actions are not. They may read it, though, and so hold a read lock, which keeps
//! writers off. So a file that only readers hold is given up, and the next of its name takes its
//! place: `name`, `name.1`, `name.2`.
//!
//! A host that has locked a file makes sure that there is no later file, and that no host holds an
//! earlier one. A host that makes a later file locks it first and looks afterwards. So of two hosts
//! at least one sees the other, and gives way.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Between two looks at a lock that another holds: at first, and at most.
const SOON: Duration = Duration::from_millis(2);
const LATER: Duration = Duration::from_millis(50);
/// Another may be faster so often before it counts as a holder.
const ROUNDS: usize = 32;

/// Held as long as this lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
    name: String,
}

/// How a lock is waited for.
pub struct Waiting {
    until: Option<Instant>,
    pause: Duration,
}

impl Waiting {
    /// No longer than this.
    pub fn within(time: Duration) -> Self {
        Self {
            until: Instant::now().checked_add(time),
            pause: SOON,
        }
    }

    /// How long to wait before the next look; none when the time is over.
    fn pause(&mut self) -> Option<Duration> {
        let left = match self.until {
            Some(until) => until.checked_duration_since(Instant::now())?,
            None => LATER,
        };
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(LATER);
        (!left.is_zero()).then_some(pause)
    }
}

/// Waits for a lock in a folder, which is made when there is none. None when the time is over.
pub async fn lock(folder: &Path, name: &str, mut waiting: Waiting) -> io::Result<Option<Lock>> {
    std::fs::create_dir_all(folder)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    loop {
        if let Some(lock) = Lock::now(&folder, name)? {
            return Ok(Some(lock));
        }
        match waiting.pause() {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Ok(None),
        }
    }
}

impl Lock {
    /// The same for a thread that may wait, as long as `goes_on` says so.
    pub fn wait(
        folder: &OwnedFd,
        name: &str,
        mut waiting: Waiting,
        goes_on: &dyn Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        loop {
            if let Some(lock) = Self::now(folder, name)? {
                return Ok(Some(lock));
            }
            match waiting.pause() {
                Some(pause) if goes_on() => thread::sleep(pause),
                _ => return Ok(None),
            }
        }
    }

    /// Takes a lock that no host holds. None when one does.
    pub fn now(folder: &OwnedFd, name: &str) -> io::Result<Option<Self>> {
        for _ in 0..ROUNDS {
            let newest = generations(folder, name)?.last().copied();
            let locked = match newest {
                None => create(folder, &spell(name, 0))?,
                Some(newest) => match take(folder, &spell(name, newest))? {
                    Taken::Locked(file) => Some(file),
                    Taken::ProcessTree => return Ok(None),
                    Taken::Gone => None,
                    Taken::Read => create(folder, &spell(name, newest.saturating_add(1)))?,
                },
            };
            let Some(file) = locked else {
                continue;
            };
            let Some(own) = confirm(folder, name, &file)? else {
                continue;
            };
            for earlier in generations(folder, name)? {
                let earlier = spell(name, earlier);
                if earlier == own {
                    break;
                }
                if is_held(folder, &earlier)? {
                    return Ok(None);
                }
                rustix::fs::unlinkat(folder, &earlier, AtFlags::empty()).ok();
            }
            return Ok(Some(Self { file, name: own }));
        }
        Ok(None)
    }

    /// Gives it up, with its file.
    pub fn remove(self, folder: &OwnedFd) {
        rustix::fs::unlinkat(folder, &self.name, AtFlags::empty()).ok();
        drop(self.file);
    }
}

/// What came of trying to lock a file.
enum Taken {
    Locked(File),
    /// By another host.
    ProcessTree,
    /// By readers alone: no host is among them.
    Read,
    Gone,
}

fn spell(name: &str, generation: u64) -> String {
    match generation {
        0 => name.to_owned(),
        later => format!("{name}.{later}"),
    }
}

/// Of the files that there are of a name, the numbers, in order.
fn generations(folder: &OwnedFd, name: &str) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Some(rest) = entry
            .file_name()
            .to_bytes()
            .strip_prefix(name.as_bytes())
            .and_then(|rest| std::str::from_utf8(rest).ok())
        else {
            continue;
        };
        let number = match rest.strip_prefix('.') {
            _ if rest.is_empty() => Some(0),
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|number| spell("", *number) == rest),
            None => None,
        };
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

fn open(folder: &OwnedFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    // Whatever an action does to it, opening it does not wait.
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)
}

fn take(folder: &OwnedFd, name: &str) -> io::Result<Taken> {
    let file = match open(folder, name, OFlags::RDWR) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Taken::Gone),
        Err(errno) => return Err(errno.into()),
    };
    // Once more: what held it may have gone between the two questions.
    for _ in 0..2 {
        if set(file.as_fd())? {
            return Ok(Taken::Locked(file.into()));
        }
        if is_written(file.as_fd())? {
            return Ok(Taken::ProcessTree);
        }
    }
    Ok(Taken::Read)
}

/// Makes a file that is locked when it gets its name. None when there is one of that name.
fn create(folder: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = format!(".{name}.{}.{count}", std::process::id());
    let file = open(
        folder,
        &beside,
        OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
    )?;
    let named = set(file.as_fd()).and_then(|locked| {
        if !locked {
            // An action was quick to read it.
            return Err(io::Error::from(Errno::EXIST));
        }
        let named =
            rustix::fs::renameat_with(folder, &beside, folder, name, RenameFlags::NOREPLACE);
        Ok(named?)
    });
    match named {
        Ok(()) => Ok(Some(file.into())),
        Err(error) => {
            rustix::fs::unlinkat(folder, &beside, AtFlags::empty()).ok();
            match error.kind() {
                io::ErrorKind::AlreadyExists => Ok(None),
                _ => Err(error),
            }
        }
    }
}

/// The name of a file that was locked, if it is still the newest.
fn confirm(folder: &OwnedFd, name: &str, file: &File) -> io::Result<Option<String>> {
    let Some(newest) = generations(folder, name)?.last().copied() else {
        return Ok(None);
    };
    let newest = spell(name, newest);
    let own = rustix::fs::fstat(file)?;
    match rustix::fs::statat(folder, &newest, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino) => Ok(Some(newest)),
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a host holds the lock on a file.
fn is_held(folder: &OwnedFd, name: &str) -> io::Result<bool> {
    match open(folder, name, OFlags::RDONLY) {
        Ok(file) => is_written(file.as_fd()),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The whole of a file.
fn whole(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Locks a file for writing; false when anybody holds a lock on it.
fn set(file: BorrowedFd<'_>) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether somebody holds a lock on a file for writing: nothing else keeps a reader off.
fn is_written(file: BorrowedFd<'_>) -> io::Result<bool> {
    let mut asked = whole(libc::F_RDLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked))?;
    Ok(i32::from(asked.l_type) != libc::F_UNLCK)
}

#[cfg(test)]
mod tests;
