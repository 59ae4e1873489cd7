//! Makes a source ready to run: installs the packages that it names, once. Calls and hosts that want
//! the same wait for each other.

mod node;
mod python;

use std::path::{Path, PathBuf};

use super::SourceError;
use super::entry::Entry;
use super::files::local;
use super::packages::Packages;
use super::sweep::owns;
use super::tools::Tools;
use super::variables::{Variables, set};
use crate::catalog::{Definition, Language};
use crate::executor::process::Opened;

/// A source is prepared so often before a change of its manifests meanwhile is an error.
const ROUNDS: usize = 3;

/// How a failure to prepare begins.
const FAILED: &str = "preparing the source failed";

/// `env`, which finds a program on the `PATH` that it is given.
const ENV: &str = "/usr/bin/env";

/// Where tools keep what they downloaded: one folder for every source.
const CACHES: [(&str, &str); 3] = [
    ("PIP_CACHE_DIR", "pip"),
    ("NPM_CONFIG_CACHE", "npm"),
    ("XDG_CACHE_HOME", "other"),
];

/// What an entry point needs in its environment once its packages are installed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The virtual environment of its packages.
    venv: Option<PathBuf>,
    /// It sees the packages of this machine, and none that its user has installed for themselves.
    machine_packages: bool,
}

impl Prepared {
    /// The interpreter's command line: Python is that of the virtual environment.
    pub(crate) fn interpreter(&self, entry: &Entry) -> String {
        match self.venv {
            Some(_) => in_venv(&entry.interpreter),
            None => entry.interpreter.clone(),
        }
    }

    /// The folder of its packages, where that is not in the source.
    pub(crate) fn packages(&self) -> Option<&Path> {
        self.venv.as_deref()
    }

    /// Adds the variables to those of the action.
    ///
    /// # Errors
    /// When `PATH` cannot hold the folder.
    pub(crate) fn extend(&self, env: &mut Variables) -> Result<(), SourceError> {
        if self.machine_packages {
            set(env, [("PYTHONNOUSERSITE".into(), "1".into())]);
        }
        let Some(venv) = &self.venv else {
            return Ok(());
        };
        let path = env.iter_mut().find(|(name, _)| name == "PATH");
        if let Some((_, path)) = path {
            let folders = [venv.join("bin")]
                .into_iter()
                .chain(std::env::split_paths(path));
            *path = std::env::join_paths(folders)
                .map_err(|error| local(venv, std::io::Error::other(error)))?;
        }
        set(env, [("VIRTUAL_ENV".into(), venv.into())]);
        Ok(())
    }

    /// What will be prepared for packages that are not installed yet, for a dry run.
    pub(crate) fn planned(packages: &Packages, entry: &Entry) -> Self {
        match packages {
            Packages::Python(_) => Self {
                venv: Some(PathBuf::new()),
                ..Self::default()
            },
            _ => Self::without_venv(entry),
        }
    }

    fn without_venv(entry: &Entry) -> Self {
        Self {
            venv: None,
            machine_packages: entry.language == Language::Python,
        }
    }
}

/// The same command line with the Python that is first on `PATH`.
fn in_venv(interpreter: &str) -> String {
    let words = interpreter.split_whitespace();
    let is_python = |word: &&str| super::command_line::is_python(word);
    let flags = words.skip_while(|word| !is_python(word)).skip(1);
    let words = [ENV, "python"].into_iter().chain(flags);
    words.collect::<Vec<_>>().join(" ")
}

impl Tools<'_> {
    /// Installs the packages that an entry point wants, unless that was done before.
    ///
    /// # Errors
    /// When a manifest is wrong, or a package cannot be installed.
    pub(crate) async fn prepare(
        &self,
        entry: &Entry,
        definition: &Definition,
    ) -> Result<Prepared, SourceError> {
        let deps = &definition.deps;
        for _ in 0..ROUNDS {
            match Packages::looked_up(entry, deps).await? {
                Packages::None => return Ok(Prepared::without_venv(entry)),
                Packages::Python(wanted) => {
                    if let Some(venv) = self.prepare_python(entry, deps, &wanted).await? {
                        return Ok(Prepared {
                            venv: Some(venv),
                            machine_packages: false,
                        });
                    }
                }
                Packages::Node => {
                    self.prepare_node(entry).await?;
                    return Ok(Prepared::without_venv(entry));
                }
            }
        }
        Err(SourceError::Changing(entry.folder.clone()))
    }

    /// The variables of tools that install, and the folder of their caches. Packages run code of
    /// their own when they are installed, and that code may write this source and these caches.
    fn installing(&self, key: &str, entry: &Entry) -> Result<(Variables, PathBuf), SourceError> {
        owns(self.data, key, &entry.folder).map_err(|error| local(self.data, error))?;
        let caches = self.data.join("caches").join(key);
        std::fs::create_dir_all(&caches).map_err(|error| local(&caches, error))?;
        let mut env = self.env.clone();
        for (variable, tool) in CACHES {
            set(&mut env, [(variable.into(), caches.join(tool).into())]);
        }
        super::tools::own_ssh_configuration(&mut env);
        Ok((env, caches))
    }
}

/// What an installing program writes.
fn opened(folders: &[&Path]) -> Result<Vec<Opened>, SourceError> {
    let open = |path: &&Path| Opened::new(path).map_err(|error| local(path, error));
    folders.iter().map(open).collect()
}

/// What a user reads while packages are installed.
fn installing_for(what: &str, entry: &Entry) -> String {
    let name = entry.folder.file_name().unwrap_or_default();
    format!("installing {what} packages for {}", name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_python_stay_in_a_virtual_environment() {
        for (interpreter, expected) in [
            ("/usr/bin/env python3", "/usr/bin/env python"),
            ("/usr/bin/python3.11 -u -I", "/usr/bin/env python -u -I"),
            ("/usr/bin/env -S python3 -u", "/usr/bin/env python -u"),
        ] {
            assert_eq!(in_venv(interpreter), expected);
        }
    }
}
