//! Reads an actions repo into a bundle of Lua modules, through a directory handle.

mod error;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

pub use error::RepoError;
use reader::Reader;

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
