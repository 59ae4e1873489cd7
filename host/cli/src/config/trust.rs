//! The project files that the user trusts, by absolute path and SHA-256.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ConfigError, file};
use kael_engine::text::hex;

/// The list of trusted files in Kael's data folder.
#[derive(Debug)]
pub struct Trust {
    path: PathBuf,
    files: Vec<Trusted>,
}

/// A file as it was when the user trusted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// Absolute.
    pub path: PathBuf,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Whether a file is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not changed since.
    Trusted,
    /// It has changed since.
    Changed,
    /// It is not on the list.
    Unknown,
}

impl Trust {
    /// Reads the list, which may not exist.
    ///
    /// # Errors
    /// When it cannot be read, or users other than its owner can write it.
    pub fn read(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join("trust.json");
        let fail = |why: String| ConfigError {
            problems: vec![format!(
                "the list of trusted files {}: {why}",
                path.display()
            )],
            hint: Some("delete it to trust nothing, then trust anew with kael-host trust".into()),
            texts: Vec::new(),
        };
        let opened = File::options()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    path,
                    files: Vec::new(),
                });
            }
            Err(error) => return Err(fail(error.to_string())),
        };
        let metadata = file.metadata().map_err(|p| fail(p.to_string()))?;
        let owner = rustix::process::geteuid().as_raw();
        if !metadata.is_file() || metadata.uid() != owner || metadata.mode() & 0o022 != 0 {
            return Err(fail("others than you can write it".to_owned()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|p| fail(p.to_string()))?;
        let files = serde_json::from_str(&text).map_err(|p| fail(p.to_string()))?;
        Ok(Self { path, files })
    }

    /// Whether a file with these bytes is trusted.
    #[must_use]
    pub fn standing(&self, path: &Path, text: &str) -> Standing {
        match self.files.iter().find(|file| file.path == path) {
            None => Standing::Unknown,
            Some(file) if file.sha256 == digest(text) => Standing::Trusted,
            Some(_) => Standing::Changed,
        }
    }

    /// All files on the list.
    #[must_use]
    pub fn files(&self) -> &[Trusted] {
        &self.files
    }

    /// Trusts a file in its present form, and writes the list.
    ///
    /// # Errors
    /// When the file is not a valid configuration file, or the list cannot be written.
    pub fn add(&mut self, path: &Path) -> Result<Trusted, ConfigError> {
        let gone = || {
            ConfigError::one(format!(
                "there is no file {}, so nothing to trust",
                path.display()
            ))
        };
        let path = path.canonicalize().map_err(|_| gone())?;
        let text = file::read(&path)?.ok_or_else(gone)?;
        // Only valid files can be trusted.
        file::parse(&text, Some(Path::new("/")))?;
        let trusted = Trusted {
            path,
            sha256: digest(&text.text),
        };
        self.files.retain(|file| file.path != trusted.path);
        self.files.push(trusted.clone());
        self.write()?;
        Ok(trusted)
    }

    /// Removes a file from the list. Returns false if it was not on the list.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn remove(&mut self, path: &Path) -> Result<bool, ConfigError> {
        // The entry of a deleted file can be removed, too.
        let path = path
            .canonicalize()
            .or_else(|_| std::path::absolute(path))
            .unwrap_or_else(|_| path.to_owned());
        let before = self.files.len();
        self.files.retain(|file| file.path != path);
        if self.files.len() == before {
            return Ok(false);
        }
        self.write()?;
        Ok(true)
    }

    fn write(&self) -> Result<(), ConfigError> {
        let write = || {
            let folder = self.path.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder)?;
            // The new list has mode 0600 and is renamed into place.
            let mut beside = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut beside, &self.files)?;
            beside.write_all(b"\n")?;
            beside.persist(&self.path).map_err(|error| error.error)
        };
        write()
            .map(|_| ())
            .map_err(|error| ConfigError::one(format!("{}: {error}", self.path.display())))
    }
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}
