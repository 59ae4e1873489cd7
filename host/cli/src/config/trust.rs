//! Which project files their reader has looked at: each by its absolute path and the SHA-256 of what it said then.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ConfigError, file};

/// The list of trusted files, in Kael's data folder.
#[derive(Debug)]
pub struct Trust {
    path: PathBuf,
    files: Vec<Trusted>,
}

/// One file as it was when it was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// Absolute.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it was when it was trusted.
    Trusted,
    /// Another text than the one that was trusted.
    Changed,
    /// Never seen.
    Unknown,
}

impl Trust {
    /// Reads the list; there may be none.
    ///
    /// # Errors
    /// When it cannot be read, or others than its owner can write it.
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

    /// What is known of a file with these bytes.
    #[must_use]
    pub fn standing(&self, path: &Path, text: &str) -> Standing {
        match self.files.iter().find(|file| file.path == path) {
            None => Standing::Unknown,
            Some(file) if file.sha256 == digest(text) => Standing::Trusted,
            Some(_) => Standing::Changed,
        }
    }

    /// Every file on the list.
    #[must_use]
    pub fn files(&self) -> &[Trusted] {
        &self.files
    }

    /// Trusts a file as it is now, and keeps that.
    ///
    /// # Errors
    /// When the file is no configuration file, or the list cannot be written.
    pub fn add(&mut self, path: &Path) -> Result<Trusted, ConfigError> {
        let gone = || {
            ConfigError::one(format!(
                "there is no file {}, so nothing to trust",
                path.display()
            ))
        };
        let path = path.canonicalize().map_err(|_| gone())?;
        let text = file::read(&path)?.ok_or_else(gone)?;
        // What is not valid is not worth trusting.
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

    /// Takes a file off the list; false when it was not on it.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn remove(&mut self, path: &Path) -> Result<bool, ConfigError> {
        // The file may be gone, and its entry is to go too.
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
            // Made with mode 0600, and moved in whole.
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
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
