//! The environment variables that Kael was started with, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A snapshot of the process environment. Actions see only the variables that Kael picks by name.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// Those that no grant of a policy gives away.
    kept: BTreeSet<OsString>,
}

impl Environment {
    /// Keeps the variables. An empty variable counts as not set.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            kept: BTreeSet::new(),
        }
    }

    /// The same with one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: OsString) -> Self {
        self.variables.insert(OsString::from(name), value);
        self
    }

    /// The same with variables that no grant of a policy gives to scripts or puts into requests.
    #[must_use]
    pub fn keeping(self, names: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            kept: names.into_iter().collect(),
            ..self
        }
    }

    /// The value of a variable that a grant of a policy names.
    #[must_use]
    pub fn granted(&self, name: &str) -> Option<&OsStr> {
        match self.kept.contains(OsStr::new(name)) {
            true => None,
            false => self.get(name),
        }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// The value of a variable as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Every variable whose name starts with `prefix`.
    pub fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> {
        let starts = move |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_bytes());
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
            .filter(move |(name, _)| starts(name))
    }

    /// The folder of the user's own configuration: `kael` in the XDG configuration folder.
    #[must_use]
    pub fn config_folder(&self) -> PathBuf {
        self.base("XDG_CONFIG_HOME", ".config").join("kael")
    }

    /// Kael's data folder: `KAEL_DATA`, else `kael` in the XDG data folder.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        if let Some(folder) = self.path("KAEL_DATA") {
            return folder;
        }
        self.base("XDG_DATA_HOME", ".local/share").join("kael")
    }

    /// A base folder by the XDG rules, which ignore relative paths.
    fn base(&self, variable: &str, below_home: &str) -> PathBuf {
        let base = self.path(variable).filter(|path| path.is_absolute());
        base.unwrap_or_else(|| {
            self.path("HOME")
                .unwrap_or_else(|| PathBuf::from("/"))
                .join(below_home)
        })
    }
}
