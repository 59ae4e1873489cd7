//! What people do with an actions repo while they write it: check it, add to it, take from it. Found here, told elsewhere.

pub mod add_action;
pub mod check;
pub mod hints;
pub mod line_index;
pub mod lint;
pub mod lua;
mod outline;
pub mod starter;
mod tree;
pub mod types;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use kael_engine::limits::Limits;
use kael_engine::names::{ActionName, NameError};
use kael_engine::runtime::{LoadError, Repo, RepoOptions, Runtime};

/// Why a repo was not changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// It cannot be loaded as it is.
    #[error(transparent)]
    Repo(#[from] LoadError),
    /// It is not valid as it is.
    #[error("the actions repo has problems: {0}")]
    Invalid(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No name for an action.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is something of that name.
    #[error("{0}")]
    Taken(String),
    /// What is to be added is not what it should be.
    #[error("{0}")]
    Unfit(String),
    /// It could not be done without a person; nothing was changed.
    #[error("{0}")]
    ByHand(String),
}

/// Files as they were before a change, to be put back when it does not work out.
#[derive(Default)]
struct Undo(Vec<(PathBuf, Option<String>)>);

impl Undo {
    fn write(&mut self, path: &Path, text: &str) -> Result<(), ChangeError> {
        let fail = |source| ChangeError::File {
            path: path.to_owned(),
            source,
        };
        let before = match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail(error)),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        self.0.push((path.to_owned(), before));
        fs::write(path, text).map_err(fail)
    }

    fn delete(&mut self, path: &Path) -> Result<(), ChangeError> {
        let fail = |source| ChangeError::File {
            path: path.to_owned(),
            source,
        };
        let before = fs::read_to_string(path).map_err(fail)?;
        self.0.push((path.to_owned(), Some(before)));
        fs::remove_file(path).map_err(fail)
    }

    fn undo(self) {
        for (path, before) in self.0.into_iter().rev() {
            // What cannot be put back is named by the error that brought us here.
            match before {
                Some(text) => fs::write(&path, text).ok(),
                None => fs::remove_file(&path).ok(),
            };
        }
    }
}

/// The repo, which must be valid before it is changed.
async fn load_valid(
    runtime: &Runtime,
    folder: &Path,
    limits: &Limits,
) -> Result<Repo, ChangeError> {
    let (repo, problems) = runtime.load_lenient(folder, within(limits)).await?;
    match problems.first() {
        None => Ok(repo),
        Some(error) => Err(ChangeError::Invalid(error.to_string())),
    }
}

/// Loading a repo within these limits.
fn within(limits: &Limits) -> RepoOptions {
    RepoOptions {
        limits: limits.clone(),
        ..RepoOptions::default()
    }
}

/// Whether the repo loads, with every name that it had and those it should have now, and without those it should not.
async fn verify_change(
    runtime: &Runtime,
    folder: &Path,
    limits: &Limits,
    before: &Repo,
    new: Option<&str>,
    gone: &[ActionName],
) -> Result<(), String> {
    let (repo, problems) = runtime
        .load_lenient(folder, within(limits))
        .await
        .map_err(|error| error.to_string())?;
    if let Some(error) = problems.first() {
        return Err(error.to_string());
    }
    let lost = before
        .catalog
        .iter()
        .map(|(name, _)| name)
        .find(|name| !gone.contains(name) && repo.catalog.get(name.as_str()).is_none());
    if let Some(lost) = lost {
        return Err(format!("`{lost}` would be gone"));
    }
    if let Some(left) = gone
        .iter()
        .find(|name| repo.catalog.get(name.as_str()).is_some())
    {
        return Err(format!("`{left}` would still be there"));
    }
    match new {
        Some(new) if repo.catalog.get(new).is_none() => Err(format!("`{new}` would not be there")),
        _ => Ok(()),
    }
}

/// Takes an action out of a repo: its file, and the line that requires it. Returns the files that were changed.
///
/// # Errors
/// When there is no such action, or it does not have a file of its own.
pub async fn remove(
    runtime: &Runtime,
    limits: &Limits,
    folder: &Path,
    name: &str,
) -> Result<Vec<PathBuf>, ChangeError> {
    let repo = load_valid(runtime, folder, limits).await?;
    let definition = repo.catalog.get(name).ok_or_else(|| {
        let near = repo.catalog.nearest(name);
        let hint = near.map(|near| format!(" (did you mean '{near}'?)"));
        ChangeError::Unfit(format!("no action '{name}'{}", hint.unwrap_or_default()))
    })?;
    let modules = &repo.bundle.modules;
    let at = &definition.location;
    let by_hand = |why: &str| {
        ChangeError::ByHand(format!(
            "{at} is to be changed by hand: {why} (kael-host actions edit {name})"
        ))
    };
    let module = modules
        .iter()
        .find(|module| module.display == at.file)
        .ok_or_else(|| by_hand("it is not in a file of the repo"))?;
    let defined_here = repo
        .catalog
        .iter()
        .filter(|(_, other)| other.location.file == at.file)
        .count();
    if defined_here > 1 || module.name == "init" || !tree::is_one_definition(&module.source) {
        return Err(by_hand("the file holds more than this action"));
    }
    let users: Vec<_> = modules
        .iter()
        .filter(|other| tree::requires(&other.source, &module.name) > 0)
        .collect();
    let [user] = users[..] else {
        return Err(by_hand("more than one file requires it"));
    };
    let changed = tree::unregister(&user.source, &module.name)
        .ok_or_else(|| by_hand(&format!("{} requires it in a way of its own", user.display)))?;
    let (file, init) = (
        repo.bundle.root.join(&module.path),
        repo.bundle.root.join(&user.path),
    );
    let mut undo = Undo::default();
    let done = undo
        .write(&init, &changed)
        .and_then(|()| undo.delete(&file));
    if let Err(error) = done {
        undo.undo();
        return Err(error);
    }
    let verified = verify_change(runtime, folder, limits, &repo, None, &definition.names).await;
    if let Err(why) = verified {
        undo.undo();
        return Err(by_hand(&why));
    }
    Ok(vec![file, init])
}
