//! Reads an actions repo into a bundle of Lua modules, through a directory handle.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::units::ByteSize;

/// Bytes that one Lua file may have.
const MAX_FILE: u64 = 4 << 20;
/// Bytes that all Lua files may have together.
const MAX_TOTAL: u64 = 32 << 20;
/// How many files and folders the repo may have, Lua or not.
const MAX_ENTRIES: usize = 20_000;
/// How deep folders may nest.
const MAX_DEPTH: usize = 16;

/// The folder that a repo's actions may write to. Kael loads no Lua from it.
pub const STATE: &str = "state";

/// The file at the root of a repo that says what scripts may do with its actions.
pub const POLICY: &str = "policy.yaml";

/// A policy may have this many bytes.
pub const MAX_POLICY: u64 = 256 << 10;

/// The Lua files of an actions repo, by module name.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The repo's folder, absolute.
    pub root: PathBuf,
    /// Sorted by name. The repo's own `init.lua` is `init`.
    pub modules: Vec<Module>,
    /// The team's own policy: its name as errors name it, and its text.
    pub policy: Option<(String, String)>,
}

/// One Lua file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// `prometheus.query`.
    pub name: String,
    /// `prometheus/query.lua`.
    pub path: String,
    /// The repo's path as the user wrote it, and the file's path in it.
    pub display: String,
    /// The file's text.
    pub source: String,
}

/// Why an actions repo cannot be read.
#[derive(Debug, Error)]
pub enum RepoError {
    /// There is no such folder, or it cannot be opened.
    #[error("cannot open the actions repo `{path}`")]
    Open {
        /// As the user wrote it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file or folder in it cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Starts with the repo's path as the user wrote it.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is no `init.lua`.
    #[error("the actions repo `{path}` has no init.lua")]
    NoInit {
        /// As the user wrote it.
        path: String,
    },
    /// A symbolic link leads out of the repo.
    #[error("`{path}` is a symbolic link that leads out of the actions repo")]
    Escape {
        /// Starts with the repo's path as the user wrote it.
        path: String,
    },
    /// A symbolic link leads into the folder that actions may write to.
    #[error(
        "`{path}` is a symbolic link into `{STATE}/`, which actions may write: no Lua is loaded from there"
    )]
    Written {
        /// Starts with the repo's path as the user wrote it.
        path: String,
    },
    /// A file would be taken for the repo's policy, and is not.
    #[error("`{path}` is not read as the policy of the actions repo: call it `{POLICY}`")]
    Misnamed {
        /// With the repo as the user wrote it.
        path: String,
    },
    /// Two files have the same module name.
    #[error("`{first}` and `{second}` are both the module `{name}`: remove one")]
    Ambiguous {
        /// The module's name.
        name: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A file is not UTF-8.
    #[error("`{path}` is not UTF-8 text (byte {at})")]
    NotText {
        /// Starts with the repo's path as the user wrote it.
        path: String,
        /// The offset of the first bad byte.
        at: usize,
    },
    /// The repo exceeds a bound.
    #[error("the actions repo is too large at `{path}`: {what}")]
    TooLarge {
        /// Where it exceeds the bound.
        path: String,
        /// The bound.
        what: String,
    },
}

impl Bundle {
    /// Reads every `.lua` file below `folder`. Skips hidden files and folders, `node_modules`, and
    /// the repo's folder `state`.
    ///
    /// # Errors
    /// When the repo cannot be read, leads out of its folder, is ambiguous, or is too large.
    pub fn read(folder: &Path) -> Result<Self, RepoError> {
        let shown = folder.display().to_string();
        let open = |source| RepoError::Open {
            path: shown.clone(),
            source,
        };
        let root = folder.canonicalize().map_err(open)?;
        let dir = Dir::open_ambient_dir(&root, ambient_authority()).map_err(open)?;
        let mut reader = Reader {
            shown: &shown,
            state: root.join(STATE),
            modules: BTreeMap::new(),
            policy: None,
            total: 0,
            entries: 0,
        };
        reader.folder(&dir, "", 0)?;
        if !reader.modules.contains_key("init") {
            return Err(RepoError::NoInit { path: shown });
        }
        Ok(Self {
            root,
            policy: reader.policy,
            modules: reader.modules.into_values().collect(),
        })
    }
}

/// Whether a file at the root is meant as the policy of the repo.
fn is_policy(name: &str) -> bool {
    ["policy.yaml", "policy.yml"].contains(&name.to_ascii_lowercase().as_str())
}

struct Reader<'a> {
    shown: &'a str,
    /// The folder that actions may write to.
    state: PathBuf,
    modules: BTreeMap<String, Module>,
    policy: Option<(String, String)>,
    total: u64,
    entries: usize,
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

    fn folder(&mut self, dir: &Dir, prefix: &str, depth: usize) -> Result<(), RepoError> {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn repo(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    fn problem(folder: &tempfile::TempDir) -> String {
        let text = Bundle::read(folder.path())
            .expect_err("refused")
            .to_string();
        text.replace(&folder.path().display().to_string(), "R")
    }

    #[test]
    fn modules_are_named_by_their_paths() {
        let folder = repo(&[
            ("init.lua", "1"),
            ("a/b.lua", "2"),
            ("c/init.lua", "3"),
            ("notes.txt", ""),
            (".git/x.lua", ""),
            ("a/b.spec.lua", ""),
        ]);
        let bundle = Bundle::read(folder.path()).expect("reads");
        let names: Vec<_> = bundle
            .modules
            .iter()
            .map(|m| (m.name.as_str(), m.path.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("a.b", "a/b.lua"),
                ("c", "c/init.lua"),
                ("init", "init.lua")
            ]
        );
    }

    #[test]
    fn nothing_is_read_where_actions_may_write() {
        use std::os::unix::fs::symlink;
        let folder = repo(&[
            ("init.lua", ""),
            ("state/x.lua", ""),
            ("state/x/init.lua", ""),
            ("lib/state/y.lua", ""),
        ]);
        let deep: PathBuf = std::iter::repeat_n("d", 40).collect();
        fs::create_dir_all(folder.path().join("state").join(deep)).expect("folders");
        let bundle = Bundle::read(folder.path()).expect("reads");
        let names: Vec<_> = bundle.modules.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["init", "lib.state.y"]);
        symlink("state/x.lua", folder.path().join("z.lua")).expect("a link");
        let why = "is a symbolic link into `state/`, which actions may write: no Lua is loaded from there";
        assert_eq!(problem(&folder), format!("`R/z.lua` {why}"));
        fs::remove_file(folder.path().join("z.lua")).expect("removed");
        symlink("state", folder.path().join("z")).expect("a link");
        assert_eq!(problem(&folder), format!("`R/z` {why}"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            problem(&repo(&[("a.lua", "")])),
            "the actions repo `R` has no init.lua"
        );
        assert_eq!(
            problem(&repo(&[
                ("init.lua", ""),
                ("a.lua", ""),
                ("a/init.lua", "")
            ])),
            "`R/a.lua` and `R/a/init.lua` are both the module `a`: remove one"
        );
        let folder = repo(&[("init.lua", "")]);
        fs::write(folder.path().join("x.lua"), b"ab\xff").expect("a file");
        assert_eq!(problem(&folder), "`R/x.lua` is not UTF-8 text (byte 2)");
        let folder = repo(&[("init.lua", "")]);
        fs::write(
            folder.path().join("x.lua"),
            vec![b' '; (MAX_FILE + 1) as usize],
        )
        .expect("a file");
        assert_eq!(
            problem(&folder),
            "the actions repo is too large at `R/x.lua`: a file has more than 4 MiB"
        );
    }

    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;
        let folder = repo(&[("init.lua", ""), ("real.lua", "x")]);
        symlink("real.lua", folder.path().join("link.lua")).expect("a link");
        assert_eq!(Bundle::read(folder.path()).expect("reads").modules.len(), 3);
        symlink("/etc/passwd", folder.path().join("out.lua")).expect("a link");
        assert_eq!(
            problem(&folder),
            "`R/out.lua` is a symbolic link that leads out of the actions repo"
        );

        let folder = repo(&[("init.lua", "")]);
        symlink("/etc", folder.path().join("out")).expect("a link");
        assert_eq!(
            problem(&folder),
            "`R/out` is a symbolic link that leads out of the actions repo"
        );

        let folder = repo(&[("init.lua", "")]);
        symlink(".", folder.path().join("loop")).expect("a link");
        assert!(problem(&folder).contains("(a loop of links?)"));
    }

    #[test]
    fn a_fifo_is_refused_and_not_waited_for() {
        let folder = repo(&[("init.lua", "")]);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("x.lua"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("a FIFO");
        assert_eq!(problem(&folder), "cannot read `R/x.lua`");
    }
}
