//! Reads the files of an actions repo through a handle of its folder: no link leads out of it, no
//! file is waited for, and what is read has bounds.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};

use super::error::RepoError;
use super::{MAX_POLICY, Module, POLICY, STATE};
use crate::units::ByteSize;

/// Bytes that one Lua file may have.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// Bytes that all Lua files may have together.
const MAX_TOTAL: u64 = 32 << 20;
/// How many files and folders the repo may have, Lua or not.
const MAX_ENTRIES: usize = 20_000;
/// How deep folders may nest.
const MAX_DEPTH: usize = 16;

/// Whether a file at the root is meant as the policy of the repo.
fn is_policy(name: &str) -> bool {
    ["policy.yaml", "policy.yml"].contains(&name.to_ascii_lowercase().as_str())
}

pub(super) struct Reader<'a> {
    pub(super) shown: &'a str,
    /// The folder that actions may write to.
    pub(super) state: PathBuf,
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) policy: Option<(String, String)>,
    pub(super) total: u64,
    pub(super) entries: usize,
}

impl Reader<'_> {
    fn display(&self, path: &str) -> String {
        if path.is_empty() {
            return self.shown.to_owned();
        }
        format!("{}/{path}", self.shown.trim_end_matches('/'))
    }

    fn failed(&self, path: &str, source: io::Error) -> RepoError {
        // cap-std reports a path that leads out of the folder as EPERM or with this text.
        if source.to_string().contains("outside of the filesystem") {
            return RepoError::Escape {
                path: self.display(path),
            };
        }
        RepoError::Read {
            path: self.display(path),
            source,
        }
    }

    fn too_large(&self, path: &str, what: String) -> RepoError {
        RepoError::TooLarge {
            path: self.display(path),
            what,
        }
    }

    pub(super) fn folder(
        &mut self,
        dir: &Dir,
        prefix: &str,
        depth: usize,
    ) -> Result<(), RepoError> {
        if depth > MAX_DEPTH {
            return Err(self.too_large(
                prefix,
                format!("folders nest deeper than {MAX_DEPTH} (a loop of links?)"),
            ));
        }
        for entry in dir
            .entries()
            .map_err(|source| self.failed(prefix, source))?
        {
            let entry = entry.map_err(|source| self.failed(prefix, source))?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(
                    self.too_large(prefix, format!("more than {MAX_ENTRIES} files and folders"))
                );
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                continue; // no module name could spell it
            };
            let written = name == STATE && prefix.is_empty();
            if name.starts_with('.') || name == "node_modules" || written {
                continue;
            }
            let path = if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{prefix}/{name}")
            };
            let kind = entry
                .file_type()
                .map_err(|source| self.failed(&path, source))?;
            let is_folder = if kind.is_symlink() {
                // Follows links within the repo. A link that leads out is an error.
                dir.metadata(name)
                    .map_err(|source| self.failed(&path, source))?
                    .is_dir()
            } else {
                kind.is_dir()
            };
            let is_lua = || {
                let stem = name.strip_suffix(".lua");
                stem.is_some_and(|stem| !stem.contains('.'))
            };
            let is_policy = prefix.is_empty() && is_policy(name);
            if kind.is_symlink() && (is_folder || is_lua() || is_policy) {
                self.not_into_state(dir, name, &path)?;
            }
            if is_policy {
                self.own_policy(dir, name)?;
            } else if is_folder {
                let inner = dir
                    .open_dir(name)
                    .map_err(|source| self.failed(&path, source))?;
                self.folder(&inner, &path, depth + 1)?;
            } else if is_lua() {
                let source = self.file(dir, name, &path)?;
                self.add(path, source)?;
            }
        }
        Ok(())
    }

    /// The policy at the root. A name that differs only in case is an error: no policy would be read.
    fn own_policy(&mut self, dir: &Dir, name: &str) -> Result<(), RepoError> {
        if name != POLICY {
            let path = self.display(name);
            return Err(RepoError::Misnamed { path });
        }
        let text = self.file(dir, name, name)?;
        if text.len() as u64 > MAX_POLICY {
            let most = ByteSize::new(MAX_POLICY);
            return Err(self.too_large(name, format!("a policy has more than {most}")));
        }
        self.policy = Some((self.display(name), text));
        Ok(())
    }

    /// Refuses a link into the folder that actions write to: opens its target and checks the real
    /// path.
    fn not_into_state(&self, dir: &Dir, name: &str, path: &str) -> Result<(), RepoError> {
        let mut options = OpenOptions::new();
        let flags = rustix::fs::OFlags::PATH.bits().cast_signed();
        options.read(true).custom_flags(flags);
        let opened = dir
            .open_with(name, &options)
            .map_err(|source| self.failed(path, source))?;
        let own = format!("/proc/self/fd/{}", opened.as_raw_fd());
        let real = std::fs::read_link(own).map_err(|source| self.failed(path, source))?;
        if real.starts_with(&self.state) {
            let path = self.display(path);
            return Err(RepoError::Written { path });
        }
        Ok(())
    }

    fn file(&mut self, dir: &Dir, name: &str, path: &str) -> Result<String, RepoError> {
        let mut options = OpenOptions::new();
        // The kind of file is checked after opening. Opening a FIFO must not wait for a writer.
        options
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = dir
            .open_with(name, &options)
            .map_err(|source| self.failed(path, source))?;
        let metadata = file
            .metadata()
            .map_err(|source| self.failed(path, source))?;
        if !metadata.is_file() {
            return Err(self.failed(path, io::Error::other("it is not a regular file")));
        }
        let mut bytes = Vec::new();
        // The file may have grown since its size was read, so the bound applies to the bytes read.
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| self.failed(path, source))?;
        self.total += bytes.len() as u64;
        if bytes.len() as u64 > MAX_FILE {
            return Err(self.too_large(
                path,
                format!("a file has more than {}", ByteSize::new(MAX_FILE)),
            ));
        }
        if self.total > MAX_TOTAL {
            return Err(self.too_large(
                path,
                format!("Lua files of more than {}", ByteSize::new(MAX_TOTAL)),
            ));
        }
        String::from_utf8(bytes).map_err(|error| RepoError::NotText {
            path: self.display(path),
            at: error.utf8_error().valid_up_to(),
        })
    }

    fn add(&mut self, path: String, source: String) -> Result<(), RepoError> {
        let stem = path.strip_suffix(".lua").unwrap_or(&path);
        let stem = stem.strip_suffix("/init").unwrap_or(stem);
        let name = stem.replace('/', ".");
        let module = Module {
            name: name.clone(),
            display: self.display(&path),
            path,
            source,
        };
        if let Some(other) = self.modules.get(&name) {
            let (mut first, mut second) = (other.display.clone(), module.display);
            if first > second {
                std::mem::swap(&mut first, &mut second);
            }
            return Err(RepoError::Ambiguous {
                name,
                first,
                second,
            });
        }
        self.modules.insert(name, module);
        Ok(())
    }
}
