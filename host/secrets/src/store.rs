//! Kael's own store: one file of values, each sealed under the key with its name.
//!
//! Who changes it holds a lock; who reads it needs none, because files are replaced whole. `rotate`
//! writes the new key beside the old one before it seals anything with it, so that the store can be
//! read at every moment in between.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use kael_engine::environment::Environment;
use kael_engine::secrets::{KEPT, SecretValue, check_name};

use super::error::Error;
use super::key::{self, Keys};

/// Bytes of the file.
const MAX_FILE: u64 = 64 << 20;
const WHAT: &str = "the store of secrets";

/// The store of one data folder.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
    key: PathBuf,
}

/// One secret of the store, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was set, in seconds since 1970.
    pub set: u64,
    /// The number of the key that it is sealed with.
    pub key: u32,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    secrets: BTreeMap<String, Sealed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    key: u32,
    set: u64,
    /// The nonce, the sealed value and its tag, as base64.
    value: String,
}

impl Store {
    /// The store of a program with these variables and folders.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self {
            file: environment.data_folder().join("secrets/store.json"),
            key: Keys::path(environment),
        }
    }

    /// The value of a secret, if the store has it.
    ///
    /// # Errors
    /// When the store or its key cannot be read, or the value was changed.
    pub fn get(&self, name: &str) -> Result<Option<SecretValue>, Error> {
        let content = self.read()?;
        let Some(sealed) = content.secrets.get(name) else {
            return Ok(None);
        };
        let keys = self.keys()?;
        let bytes = open(name, sealed, &keys)?;
        let value = SecretValue::from_bytes(bytes);
        value.map(Some).map_err(|error| Error::value(name, &error))
    }

    /// What it has, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let secrets = self.read()?.secrets.into_iter();
        let listed = secrets.map(|(name, sealed)| Listed {
            name,
            set: sealed.set,
            key: sealed.key,
        });
        Ok(listed.collect())
    }

    /// Keeps a value. The first makes the key.
    ///
    /// # Errors
    /// When the name or the value cannot be used, or the store not be written.
    pub fn set(&self, name: &str, value: &SecretValue) -> Result<(), Error> {
        check_name(name).map_err(|why| Error::name(name, why))?;
        if name.starts_with(KEPT) {
            return Err(Error::name(name, "is a name of what actions give back"));
        }
        let _lock = self.lock()?;
        let mut content = self.read()?;
        let keys = match Keys::read(&self.key)? {
            Some(keys) => keys,
            // Values without their key are lost, and a new one would hide that.
            None if !content.secrets.is_empty() => return Err(self.no_key()),
            None => {
                let keys = Keys::new()?;
                keys.write(&self.key)?;
                keys
            }
        };
        let sealed = seal(name, value.expose().as_bytes(), now(), &keys)?;
        content.secrets.insert(name.to_owned(), sealed);
        self.write(&content)
    }

    /// Forgets a secret. False when the store does not have it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        let _lock = self.lock()?;
        let mut content = self.read()?;
        if content.secrets.remove(name).is_none() {
            return Ok(false);
        }
        self.write(&content)?;
        Ok(true)
    }

    /// Makes a new key and seals every value with it. The old key is gone afterwards. Says how many values there are.
    ///
    /// # Errors
    /// When a value cannot be opened, or something not be written: then the store can be read as before.
    pub fn rotate(&self) -> Result<usize, Error> {
        let _lock = self.lock()?;
        let mut content = self.read()?;
        let keys = self.keys()?.renewed()?;
        for (name, sealed) in &mut content.secrets {
            let value = open(name, sealed, &keys)?;
            *sealed = seal(name, &value, sealed.set, &keys)?;
        }
        keys.write(&self.key)?;
        self.write(&content)?;
        keys.only_newest().write(&self.key)?;
        Ok(content.secrets.len())
    }

    fn keys(&self) -> Result<Keys, Error> {
        Keys::read(&self.key)?.ok_or_else(|| self.no_key())
    }

    fn no_key(&self) -> Error {
        Error::path("the key of the secrets", &self.key, &"is not there")
            .hinted(format!("{} names another file", key::VARIABLE))
    }

    fn read(&self) -> Result<Content, Error> {
        let bytes = match key::read_own(&self.file, MAX_FILE, 0o077) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Content {
                    version: 1,
                    ..Content::default()
                });
            }
            Err(error) => return Err(Error::path(WHAT, &self.file, &error)),
        };
        let content: Content = serde_json::from_slice(&bytes)
            .map_err(|error| Error::path(WHAT, &self.file, &error))?;
        match content.version {
            1 => Ok(content),
            _ => Err(Error::path(
                WHAT,
                &self.file,
                &"was written by a later Kael",
            )),
        }
    }

    fn write(&self, content: &Content) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(content)
            .map_err(|error| Error::path(WHAT, &self.file, &error))?;
        // What is written can be read again.
        if text.len() as u64 > MAX_FILE {
            let why = format!("would be larger than {} MiB", MAX_FILE >> 20);
            return Err(Error::path(WHAT, &self.file, &why));
        }
        key::replace(&self.file, &text).map_err(|error| Error::path(WHAT, &self.file, &error))
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.file.with_extension("lock");
        let lock = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(file)
        };
        lock().map_err(|error: std::io::Error| Error::path(WHAT, &path, &error))
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// What a sealed value is bound to, so that it cannot be put in another's place.
fn bound_to(name: &str, key: u32) -> Aad<String> {
    Aad::from(format!("kael secret {key} {name}"))
}

fn seal(name: &str, value: &[u8], set: u64, keys: &Keys) -> Result<Sealed, Error> {
    let failed = || Error::new(format!("the secret `{name}` cannot be sealed"));
    let (number, key) = keys.newest().ok_or_else(failed)?;
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
    let mut bytes = value.to_vec();
    let own = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(own, bound_to(name, number), &mut bytes)
        .map_err(|_| failed())?;
    Ok(Sealed {
        key: number,
        set,
        value: STANDARD.encode([&nonce[..], &bytes].concat()),
    })
}

fn open(name: &str, sealed: &Sealed, keys: &Keys) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |why: &str| Error::new(format!("the secret `{name}` cannot be opened: {why}"));
    let key = keys
        .get(sealed.key)
        .ok_or_else(|| failed(&format!("it was sealed with key {}", sealed.key)))?;
    let changed = || failed("it was changed, or sealed with another key");
    let bytes = STANDARD.decode(&sealed.value).map_err(|_| changed())?;
    let (nonce, value) = bytes.split_at_checked(NONCE_LEN).ok_or_else(changed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| changed())?;
    let mut value = Zeroizing::new(value.to_vec());
    let length = key
        .open_in_place(nonce, bound_to(name, sealed.key), &mut value)
        .map_err(|_| changed())?
        .len();
    value.truncate(length);
    Ok(value)
}
