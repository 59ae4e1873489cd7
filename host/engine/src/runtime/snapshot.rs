//! An actions repo as data: a run that goes on later goes on with the repo that it began with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LoadError, Repo, RepoOptions, Runtime};
use crate::catalog::{Catalog, RawDefinition};
use crate::repo::{Bundle, Module};
use crate::sandbox::PreparedRepo;

/// All of a repo that a run depends on. The programs of its actions stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoSnapshot {
    /// The folder, absolute.
    pub root: PathBuf,
    /// The same as the user wrote it.
    pub shown: String,
    /// Its Lua files.
    pub modules: Vec<Module>,
    /// The text of its tree, where it has one: scripts are given that.
    pub image: Option<String>,
    /// The team's own policy: its name, and its text.
    pub policy: Option<(String, String)>,
    /// What its code defined.
    pub definitions: Vec<RawDefinition>,
}

impl Repo {
    /// The repo as data.
    #[must_use]
    pub fn snapshot(&self) -> RepoSnapshot {
        RepoSnapshot {
            root: self.bundle.root.clone(),
            shown: self.shown.clone(),
            modules: self.bundle.modules.clone(),
            image: self.prepared.image().map(str::to_owned),
            policy: self.bundle.policy.clone(),
            definitions: self.definitions.clone(),
        }
    }
}

impl Runtime {
    /// The repo of a snapshot. None of its code is evaluated.
    ///
    /// # Errors
    /// When this Kael does not take its definitions.
    pub fn restored(
        &self,
        snapshot: RepoSnapshot,
        options: RepoOptions,
    ) -> Result<Repo, LoadError> {
        let (catalog, errors) = Catalog::collect(&snapshot.definitions);
        if !errors.is_empty() {
            return Err(LoadError::Definitions(errors));
        }
        let prepared = PreparedRepo::restored(&snapshot.modules, snapshot.image);
        let bundle = Bundle {
            root: snapshot.root,
            modules: snapshot.modules,
            policy: snapshot.policy,
        };
        let shown = Path::new(&snapshot.shown);
        Ok(self.assemble(
            bundle,
            catalog,
            snapshot.definitions,
            prepared,
            options,
            shown,
        ))
    }
}
