//! The key of the store: a file that its owner alone can read, and reading such files at all.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use kael_engine::environment::Environment;
use kael_engine::text::{hex, unhex};

use super::error::Error;

/// The variable that names another file for the key.
pub(crate) const VARIABLE: &str = "KAEL_SECRET_KEY_FILE";
/// Bytes of a file with one secret.
pub(crate) const MAX_SECRET: u64 = 64 << 10;
/// Bytes of a key.
const LENGTH: usize = 32;

/// Keys by their numbers, the newest last: while they are changed, there are two.
pub(crate) struct Keys(Vec<(u32, LessSafeKey, Zeroizing<[u8; LENGTH]>)>);

impl Keys {
    /// The file of the key.
    pub(crate) fn path(environment: &Environment) -> PathBuf {
        let own = || environment.data_folder().join("secrets/key");
        environment.path(VARIABLE).unwrap_or_else(own)
    }

    /// The keys in a file; none where there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match read_own(path, MAX_SECRET, 0o077) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::path("the key of the secrets", path, &error)),
        };
        let bad = || Error::path("the key of the secrets", path, &"has no key of Kael's");
        let text = std::str::from_utf8(&text).map_err(|_| bad())?;
        let mut keys = Self(Vec::new());
        for line in text.lines() {
            let (number, digits) = line.split_once(':').ok_or_else(bad)?;
            let bytes: [u8; LENGTH] = unhex(digits.trim()).ok_or_else(bad)?;
            let bytes = Zeroizing::new(bytes);
            keys.add(number.parse().map_err(|_| bad())?, bytes)?;
        }
        match keys.0.is_empty() {
            true => Err(bad()),
            false => Ok(Some(keys)),
        }
    }

    /// One new key.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut keys = Self(Vec::new());
        keys.add(1, random()?)?;
        Ok(keys)
    }

    fn add(&mut self, number: u32, bytes: Zeroizing<[u8; LENGTH]>) -> Result<(), Error> {
        let failed = || Error::new("the key of the secrets has another length".to_owned());
        let key = UnboundKey::new(&AES_256_GCM, &bytes[..]).map_err(|_| failed())?;
        self.0.push((number, LessSafeKey::new(key), bytes));
        Ok(())
    }

    /// The same with one more, which is the newest.
    pub(crate) fn renewed(mut self) -> Result<Self, Error> {
        let number = self.newest().map_or(0, |(number, _)| number);
        let next = number.checked_add(1);
        let next = next.ok_or_else(|| Error::new("there are too many keys".to_owned()))?;
        self.add(next, random()?)?;
        Ok(self)
    }

    /// The same with nothing but the newest.
    pub(crate) fn only_newest(mut self) -> Self {
        let newest = self.0.len().saturating_sub(1);
        self.0.drain(..newest);
        self
    }

    pub(crate) fn newest(&self) -> Option<(u32, &LessSafeKey)> {
        self.0.last().map(|(number, key, _)| (*number, key))
    }

    pub(crate) fn get(&self, number: u32) -> Option<&LessSafeKey> {
        let found = self.0.iter().find(|(own, ..)| *own == number);
        found.map(|(_, key, _)| key)
    }

    /// Writes them, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut text = Zeroizing::new(String::new());
        for (number, _, bytes) in &self.0 {
            let digits = Zeroizing::new(hex(&bytes[..]));
            text.push_str(&format!("{number}:{}\n", digits.as_str()));
        }
        replace(path, text.as_bytes())
            .map_err(|error| Error::path("the key of the secrets", path, &error))
    }
}

fn random() -> Result<Zeroizing<[u8; LENGTH]>, Error> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    let failed = |_| Error::new("the machine gives no random numbers".to_owned());
    SystemRandom::new().fill(&mut bytes[..]).map_err(failed)?;
    Ok(bytes)
}

/// A regular file of a bounded size. A FIFO is not waited for.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    read_checked(path, most, |_| Ok(()))
}

/// The same of a file that belongs to this user or to root, and for which no mode of `mask` is set.
pub(crate) fn read_own(path: &Path, most: u64, mask: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    read_checked(path, most, |metadata| {
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user && metadata.uid() != 0 {
            return Err(io::Error::other("it belongs to another user"));
        }
        match metadata.permissions().mode() & mask {
            0 => Ok(()),
            _ => Err(io::Error::other(format!(
                "other users may use it (mode {:03o}): chmod 600 it",
                metadata.permissions().mode() & 0o777
            ))),
        }
    })
}

fn read_checked(
    path: &Path,
    most: u64,
    check: impl FnOnce(&std::fs::Metadata) -> io::Result<()>,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    check(&metadata)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!(
            "it has more than {} KiB",
            most >> 10
        ))),
        false => Ok(bytes),
    }
}

/// Puts a file of mode 0600 in the place of another.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}
