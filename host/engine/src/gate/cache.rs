//! Results that may be used again: one file each, in a folder per actions repo that only its owner can open.
//!
//! A file's name is a digest of everything that the result depends on, so whatever changes makes another name. A result
//! is written beside and moved in whole. What cannot be read is not there.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::documents::MAX_PARAMS;
use crate::text::hex;

/// Results that are kept of one repo, and their bytes: of more, the oldest go.
const MAX_RESULTS: usize = 10_000;
const MAX_BYTES: u64 = 1 << 30;
/// So many results of one process, or ten minutes, are between two looks at how many there are.
const SWEEP_EVERY: u32 = 256;

/// How a run uses the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheUse {
    /// Results are looked for and kept.
    #[default]
    Normal,
    /// Results are kept, and not looked for.
    Refresh,
    /// Neither.
    Off,
}

/// The kept results of one actions repo.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    repo: String,
    usage: CacheUse,
    /// Results kept by this process.
    kept: Arc<AtomicU32>,
}

/// What stands in front of a result.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    action: String,
    repo: String,
    created: u64,
    expires: u64,
}

/// A kept result, for people.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The action that it is of.
    pub action: String,
    /// The folder of the actions repo.
    pub repo: String,
    /// How long ago it was made.
    pub age: Duration,
    /// How long it may still be used; none when that is over.
    pub left: Option<Duration>,
    /// Bytes of the file.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The folder of all caches.
fn base(data: &Path) -> PathBuf {
    data.join("cache")
}

impl Cache {
    /// The cache of the repo with that root.
    #[must_use]
    pub fn new(data: &Path, root: &Path) -> Self {
        let digest = hex(&Sha256::digest(root.as_os_str().as_encoded_bytes())[..16]);
        let folder = base(data).join(digest);
        let repo = root.to_string_lossy().into_owned();
        Self {
            folder,
            repo,
            usage: CacheUse::Normal,
            kept: Arc::default(),
        }
    }

    /// The same results, used in another way.
    #[must_use]
    pub fn used_as(&self, usage: CacheUse) -> Self {
        Self {
            usage,
            ..self.clone()
        }
    }

    /// The key that hashes of variables are made with, of this machine's making: without it nobody can try values.
    pub(super) fn key(&self) -> io::Result<[u8; 32]> {
        let folder = self.folder.parent().unwrap_or(&self.folder);
        private_folder(folder)?;
        let path = folder.join("key");
        let read = || -> io::Result<[u8; 32]> {
            let mut key = [0; 32];
            File::open(&path)?.read_exact(&mut key)?;
            Ok(key)
        };
        if let Ok(key) = read() {
            return Ok(key);
        }
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(&key)?;
        // Another may have been faster; then its key is the one.
        match beside.persist_noclobber(&path) {
            Ok(_) => Ok(key),
            Err(_) => read(),
        }
    }

    pub(super) fn is_read(&self) -> bool {
        self.usage == CacheUse::Normal
    }

    pub(super) fn is_off(&self) -> bool {
        self.usage == CacheUse::Off
    }

    /// A result that is there and still good.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let (header, mut rest) = open(&self.folder.join(name)).ok()?;
        if header.expires <= now() {
            return None;
        }
        let mut text = String::new();
        rest.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Keeps a result.
    pub(super) fn put(
        &self,
        name: &str,
        action: &str,
        result: &str,
        ttl: Duration,
    ) -> io::Result<()> {
        private_folder(self.folder.parent().unwrap_or(&self.folder))?;
        private_folder(&self.folder)?;
        let header = Header {
            action: action.to_owned(),
            repo: self.repo.clone(),
            created: now(),
            expires: now().saturating_add(ttl.as_secs().max(1)),
        };
        let mut beside = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut beside, &header)?;
        beside.write_all(b"\n")?;
        beside.write_all(result.as_bytes())?;
        beside
            .persist(self.folder.join(name))
            .map_err(|error| error.error)?;
        self.sweep();
        Ok(())
    }

    /// Removes what is too old, and the oldest of what is too much, now and then: nobody else does.
    fn sweep(&self) {
        let often = self.kept.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1;
        let stamp = self.folder.join(".swept");
        let recent = |path: &Path| {
            let age = path.metadata().ok()?.modified().ok()?.elapsed().ok()?;
            Some(age < Duration::from_secs(600))
        };
        if recent(&stamp) == Some(true) && !often {
            return;
        }
        fs::write(&stamp, "").ok();
        self.sweep_to(MAX_RESULTS, MAX_BYTES);
    }

    fn sweep_to(&self, most: usize, mut room: u64) {
        let mut entries = entries_of(&self.folder);
        entries.sort_by_key(|entry| entry.age);
        for (index, entry) in entries.iter().enumerate() {
            let fits = index < most && entry.size <= room;
            // What is older than one that does not fit does not fit either.
            room = if fits { room - entry.size } else { 0 };
            if !fits || entry.left.is_none() {
                fs::remove_file(&entry.path).ok();
            }
        }
    }
}

/// Every kept result of every repo, sorted by action.
#[must_use]
pub fn entries(data: &Path) -> Vec<Entry> {
    let folders = fs::read_dir(base(data)).into_iter().flatten().flatten();
    let mut all: Vec<Entry> = folders
        .map(|folder| folder.path())
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| entries_of(&folder))
        .collect();
    all.sort_by(|a, b| (&a.repo, &a.action, &a.path).cmp(&(&b.repo, &b.action, &b.path)));
    all
}

/// Deletes kept results: those of one action, or all. Returns how many there were.
///
/// # Errors
/// When one cannot be deleted.
pub fn clear(data: &Path, action: Option<&str>) -> io::Result<usize> {
    let all = entries(data);
    let chosen = all
        .iter()
        .filter(|entry| action.is_none_or(|action| entry.action == action));
    let mut count = 0;
    for entry in chosen {
        match fs::remove_file(&entry.path) {
            Ok(()) => count += 1,
            // Another was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn entries_of(folder: &Path) -> Vec<Entry> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| {
            let path = file.path();
            let (header, _) = open(&path).ok()?;
            let now = now();
            Some(Entry {
                age: Duration::from_secs(now.saturating_sub(header.created)),
                left: header
                    .expires
                    .checked_sub(now)
                    .filter(|left| *left > 0)
                    .map(Duration::from_secs),
                size: file.metadata().ok()?.len(),
                action: header.action,
                repo: header.repo,
                path,
            })
        })
        .collect()
}

/// A file's header, and a reader at the result behind it.
fn open(path: &Path) -> io::Result<(Header, BufReader<io::Take<File>>)> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("not a file of our own"));
    }
    let mut reader = BufReader::new(file.take(MAX_PARAMS as u64 * 2));
    let mut line = String::new();
    reader.by_ref().take(16 << 10).read_line(&mut line)?;
    Ok((serde_json::from_str(&line)?, reader))
}

/// A folder that only its owner can open, made where it is missing.
fn private_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let metadata = fs::symlink_metadata(folder)?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && own && metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{}: others can open it; make it 0700 or delete it",
        folder.display()
    )))
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_until_it_is_too_old() {
        let data = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(data.path(), Path::new("/repo"));
        assert_eq!(cache.get("k"), None);
        let put = |name, ttl| cache.put(name, "a.b", "[1]", Duration::from_secs(ttl));
        put("k", 100).expect("kept");
        assert_eq!(cache.get("k").as_deref(), Some("[1]"));
        let mode = cache.folder.metadata().expect("a folder").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(entries(data.path()).len(), 1);
        let header = "{\"action\":\"a.b\",\"repo\":\"/repo\",\"created\":1,\"expires\":2}\n[2]";
        fs::write(cache.folder.join("old"), header).expect("a file");
        assert_eq!(cache.get("old"), None);
        fs::write(cache.folder.join("junk"), "x").expect("a file");
        assert_eq!(cache.get("junk"), None);
        assert_eq!(clear(data.path(), Some("other")).expect("cleared"), 0);
        assert_eq!(clear(data.path(), None).expect("cleared"), 2);
        assert_eq!(cache.key().expect("a key"), cache.key().expect("the same"));
    }

    #[test]
    fn of_too_much_the_oldest_go() {
        let data = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(data.path(), Path::new("/repo"));
        cache
            .put("new", "a", "1", Duration::from_secs(500))
            .expect("kept");
        let old = |name: &str, created: u64| {
            let header = format!(
                "{{\"action\":\"a\",\"repo\":\"/repo\",\"created\":{created},\"expires\":{}}}\n[2]",
                u64::MAX
            );
            fs::write(cache.folder.join(name), header).expect("a file");
        };
        let names = || -> Vec<String> {
            let files = fs::read_dir(&cache.folder).expect("a folder").flatten();
            let mut names: Vec<String> = files
                .map(|file| file.file_name().to_string_lossy().into_owned())
                .filter(|name| !name.starts_with('.'))
                .collect();
            names.sort();
            names
        };
        (1..=4).for_each(|n| old(&format!("old{n}"), n));
        cache.sweep_to(3, u64::MAX);
        assert_eq!(names(), ["new", "old3", "old4"]);
        let size = |name: &str| cache.folder.join(name).metadata().expect("there").len();
        cache.sweep_to(9, size("new") + size("old4"));
        assert_eq!(names(), ["new", "old4"]);
        cache.sweep_to(9, size("new") + size("old4") - 1);
        assert_eq!(names(), ["new"]);
    }

    #[test]
    fn a_folder_that_others_can_open_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(data.path(), Path::new("/repo"));
        fs::create_dir_all(&cache.folder).expect("a folder");
        fs::set_permissions(&cache.folder, fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(cache.put("k", "a", "1", Duration::from_secs(5)).is_err());
    }
}
