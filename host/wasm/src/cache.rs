//! Keeps compiled files on disk, so that each machine compiles a file once.
//!
//! The host runs what it reads from here as machine code, so every entry must prove its origin: the
//! folder and its files belong to this user alone, and each entry begins with an HMAC over its name
//! and bytes, made with the folder's secret. Any other entry counts as missing.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use sha2::Sha256;

use kael_engine::executor::lock::{Lock, Waiting};

/// Bytes of the secret, and of the HMAC.
const SECRET: usize = 32;
/// How many compiled files are kept, and their bytes. The least recently used go first.
const MOST: Bounds = Bounds {
    entries: 500,
    bytes: 4 << 30,
};
/// More than the largest compiled file.
const MAX_ENTRY: u64 = 4 << 30;

/// How long another process may take to make the secret.
const TURN: Duration = Duration::from_secs(10);

/// The bounds of a folder.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    entries: usize,
    bytes: u64,
}

/// The open cache folder.
pub(super) struct Cache {
    folder: OwnedFd,
    path: PathBuf,
    secret: [u8; SECRET],
}

impl Cache {
    /// Opens the folder, and creates it if necessary.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match rustix::fs::mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        owned(&folder, FileType::Directory)?;
        let mut cache = Self {
            folder,
            path: path.to_owned(),
            secret: [0; SECRET],
        };
        cache.secret = cache.secret()?;
        Ok(cache)
    }

    /// Locks an entry, so that one process at a time makes it. Returns none if another process
    /// holds the lock. The lock lasts as long as the returned value or the process.
    pub(super) fn try_lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let name = format!("{name}.lock");
        Lock::now(&self.folder, &name)
    }

    /// An entry, if it exists, is complete, and was made by this user on this machine.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = match self.bytes(name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("{}/{name} is not used: {error}", self.path.display());
                return None;
            }
        };
        if bytes.len() < SECRET
            || self
                .mac(name, &bytes[SECRET..])
                .verify_slice(&bytes[..SECRET])
                .is_err()
        {
            tracing::warn!(
                "{}/{name} is damaged or was not written by Kael; it is made anew",
                self.path.display()
            );
            return None;
        }
        bytes.drain(..SECRET);
        Some(bytes)
    }

    /// Writes an entry to a new file and renames that, so that no reader sees half of it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let code = self.mac(name, content).finalize().into_bytes();
        self.put(name, &[&code, content])?;
        self.evict(MOST, name);
        Ok(())
    }

    /// Removes the least recently used entries, except `keep`, until the folder is within its
    /// bounds. Skips entries that cannot be removed or that are locked.
    fn evict(&self, most: Bounds, keep: &str) {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let Ok(stat) = rustix::fs::statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW)
            else {
                continue;
            };
            let own = name.contains(".lock") || name.ends_with(".new") || name == "secret";
            if own || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                continue;
            }
            let used = stat.st_atime.max(stat.st_mtime);
            entries.push((name == keep, used, stat.st_size.unsigned_abs(), name));
        }
        // The newest first, after the entry that was just made.
        entries.sort_by(|a, b| (b.0, b.1, &b.3).cmp(&(a.0, a.1, &a.3)));
        let mut bytes = 0_u64;
        for (index, (kept, _, size, name)) in entries.iter().enumerate() {
            bytes = bytes.saturating_add(*size);
            if *kept || (index < most.entries && bytes <= most.bytes) {
                continue;
            }
            self.remove(name);
        }
    }

    /// Removes an entry and its lock file, unless another process is making it.
    fn remove(&self, name: &str) {
        let Ok(Some(lock)) = Lock::now(&self.folder, &format!("{name}.lock")) else {
            return;
        };
        for name in [name.to_owned(), format!("{name}.new")] {
            rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty()).ok();
        }
        lock.remove(&self.folder);
    }

    fn put(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        // Only the holder of the lock writes here, so one temporary name is enough.
        let beside = format!("{name}.new");
        let flags =
            OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, &beside, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        let write = || {
            for part in parts {
                file.write_all(part)?;
            }
            rustix::fs::renameat(&self.folder, &beside, &self.folder, name).map_err(io::Error::from)
        };
        let mut write = write;
        let outcome = write();
        if outcome.is_err() {
            rustix::fs::unlinkat(&self.folder, &beside, AtFlags::empty()).ok();
        }
        outcome
    }

    fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?;
        owned(&file, FileType::RegularFile)?;
        let mut bytes = Vec::new();
        File::from(file).take(MAX_ENTRY).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The folder's secret. The first process that needs it makes it.
    fn secret(&self) -> io::Result<[u8; SECRET]> {
        let known = || match self.bytes("secret") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            known => Ok(known.ok().and_then(|bytes| bytes.try_into().ok())),
        };
        // The secret is renamed into place, so reading it needs no lock.
        if let Some(known) = known()? {
            return Ok(known);
        }
        let turn = Waiting::within(TURN);
        let lock = Lock::wait(&self.folder, "secret.lock", turn, &|| true)?;
        let _lock = lock.ok_or(io::ErrorKind::TimedOut)?;
        if let Some(known) = known()? {
            return Ok(known);
        }
        let mut secret = [0; SECRET];
        File::open("/dev/urandom")?.read_exact(&mut secret)?;
        self.put("secret", &[&secret])?;
        Ok(secret)
    }

    fn mac(&self, name: &str, content: &[u8]) -> Hmac<Sha256> {
        // HMAC accepts a key of any length. This one is as long as its output.
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret).unwrap_or_else(|_| unreachable!());
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(content);
        mac
    }
}

/// Checks that an open file is of this kind, belongs to this user, and that no other user can write
/// to it.
fn owned(file: &OwnedFd, kind: FileType) -> io::Result<()> {
    let stat = rustix::fs::fstat(file)?;
    let own = rustix::process::geteuid().as_raw();
    let error = if FileType::from_raw_mode(stat.st_mode) != kind {
        "it is something else than it should be"
    } else if stat.st_uid != own {
        "it belongs to another user"
    } else if stat.st_mode & 0o022 != 0 {
        "others can write to it (chmod go-w, or delete it)"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn cache() -> (tempfile::TempDir, PathBuf, Cache) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data/wasm");
        let cache = Cache::open(&path).expect("opens");
        (folder, path, cache)
    }

    #[test]
    fn what_was_written_is_read_by_the_next_process_too() {
        let (_keep, path, cache) = cache();
        assert!(cache.read("a").is_none());
        cache.write("a", b"code").expect("writes");
        assert_eq!(cache.read("a").as_deref(), Some(&b"code"[..]));
        let again = Cache::open(&path).expect("opens");
        assert_eq!(again.read("a").as_deref(), Some(&b"code"[..]));
        assert_eq!(
            path.metadata().expect("there").permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(
            path.join("secret")
                .metadata()
                .expect("there")
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }

    #[test]
    fn an_entry_that_was_touched_is_none() {
        let (_keep, path, cache) = cache();
        cache.write("a", b"code").expect("writes");
        cache.write("b", b"other").expect("writes");
        let good = fs::read(path.join("a")).expect("there");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(path.join("a"), &bad).expect("writes");
            assert!(cache.read("a").is_none(), "byte {at}");
            fs::write(path.join("a"), &good[..at]).expect("writes");
            assert!(cache.read("a").is_none(), "{at} bytes");
        }
        // A valid entry under another name.
        fs::copy(path.join("b"), path.join("a")).expect("copies");
        assert!(cache.read("a").is_none());
        // An entry made with another secret.
        let (_other, elsewhere, foreign) = self::cache();
        foreign.write("a", b"code").expect("writes");
        fs::copy(elsewhere.join("a"), path.join("a")).expect("copies");
        assert!(cache.read("a").is_none());
        fs::write(path.join("a"), &good).expect("writes");
        assert!(cache.read("a").is_some());
    }

    #[test]
    fn of_too_many_entries_those_go_that_were_not_used_for_longest() {
        let (_keep, path, cache) = cache();
        let make = |name: &str, used: u64| {
            let _lock = cache.try_lock(name).expect("tries");
            cache.write(name, b"code").expect("writes");
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(used);
            let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
            let file = File::options().write(true).open(path.join(name));
            file.and_then(|file| file.set_times(times)).expect("times");
        };
        let names = || -> Vec<String> {
            let files = fs::read_dir(&path).expect("a folder").flatten();
            let mut names: Vec<String> = files
                .map(|file| file.file_name().to_string_lossy().into_owned())
                .filter(|name| !name.starts_with("secret"))
                .collect();
            names.sort();
            names
        };
        for (name, used) in [("a", 40), ("b", 10), ("c", 30), ("d", 20)] {
            make(name, used);
        }
        let bounds = |entries, bytes| Bounds { entries, bytes };
        // The entry that was just made stays, even if it is the oldest.
        cache.evict(bounds(2, u64::MAX), "b");
        assert_eq!(names(), ["a", "a.lock", "b", "b.lock"]);
        // A locked entry stays, too.
        let held = cache.try_lock("b").expect("tries");
        cache.evict(bounds(1, u64::MAX), "a");
        assert_eq!(names().len(), 4);
        drop(held);
        let size = path.join("a").metadata().expect("there").len();
        cache.evict(bounds(9, size), "a");
        assert_eq!(names(), ["a", "a.lock"]);
        assert!(cache.read("a").is_some());
    }

    #[test]
    fn a_place_that_others_can_write_to_is_not_used() {
        let (_keep, path, cache) = cache();
        cache.write("a", b"code").expect("writes");
        fs::set_permissions(path.join("a"), fs::Permissions::from_mode(0o622)).expect("a mode");
        assert!(cache.read("a").is_none());
        fs::rename(path.join("a"), path.join("b")).expect("renames");
        symlink("b", path.join("a")).expect("a link");
        assert!(cache.read("a").is_none());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(Cache::open(&path).is_err());
        fs::remove_dir_all(&path).expect("removed");
        let elsewhere = path.with_file_name("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        symlink(&elsewhere, &path).expect("a link");
        assert!(Cache::open(&path).is_err());
    }
}
