//! What people do to an actions repo while they write it: check it, add actions, remove actions.
//! Prints nothing.

pub mod add_action;
pub mod check;
pub mod context;
pub mod hints;
pub mod line_index;
pub mod lint;
pub mod lua;
mod outline;
pub mod search;
pub mod starter;
mod tree;
pub mod types;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use kael_engine::catalog::DefinitionError;
use kael_engine::executor::unblocked;
use kael_engine::limits::Limits;
use kael_engine::names::{ActionName, NameError};
use kael_engine::runtime::{LoadError, Repo, RepoOptions, Runtime};
pub use outline::SandboxError;

/// Why a change to a repo failed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The repo cannot be loaded before the change.
    #[error(transparent)]
    Repo(#[from] LoadError),
    /// The repo is not valid before the change.
    #[error("the actions repo has problems: {0}")]
    Invalid(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is not a name for an action.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The name is taken.
    #[error("{0}")]
    Taken(String),
    /// The action cannot be added or removed.
    #[error("{0}")]
    Unfit(String),
    /// The change needs a person. Nothing was changed.
    #[error("{0}")]
    ByHand(String),
}

/// What a change would break.
#[derive(Debug, Error)]
enum BrokenRepo {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error("`{0}` would be gone")]
    Lost(ActionName),
    #[error("`{0}` would still be there")]
    Left(ActionName),
    #[error("`{0}` would not be there")]
    Missing(String),
}

/// The content of files before a change, to restore them if the change fails.
#[derive(Default)]
struct Undo(Vec<(PathBuf, Option<String>)>);

impl Undo {
    fn write(&mut self, path: &Path, text: &str) -> Result<(), ChangeError> {
        let fail = |source| ChangeError::File {
            path: path.to_owned(),
            source,
        };
        let before = match unblocked::text(path, u64::MAX) {
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
        let before = unblocked::text(path, u64::MAX).map_err(fail)?;
        self.0.push((path.to_owned(), Some(before)));
        fs::remove_file(path).map_err(fail)
    }

    fn undo(self) {
        for (path, before) in self.0.into_iter().rev() {
            // The error that is being returned names the file already.
            match before {
                Some(text) => fs::write(&path, text).ok(),
                None => fs::remove_file(&path).ok(),
            };
        }
    }
}

/// Loads the repo. It must be valid before a change.
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

/// Checks that the repo still loads, keeps all other names, has the new one, and lacks the removed
/// one.
async fn verify_change(
    runtime: &Runtime,
    folder: &Path,
    limits: &Limits,
    before: &Repo,
    new: Option<&str>,
    gone: &[ActionName],
) -> Result<(), BrokenRepo> {
    let (repo, problems) = runtime.load_lenient(folder, within(limits)).await?;
    if let Some(error) = problems.into_iter().next() {
        return Err(error.into());
    }
    let lost = before
        .catalog
        .iter()
        .map(|(name, _)| name)
        .find(|name| !gone.contains(name) && repo.catalog.get(name.as_str()).is_none());
    if let Some(lost) = lost {
        return Err(BrokenRepo::Lost(lost.clone()));
    }
    if let Some(left) = gone
        .iter()
        .find(|name| repo.catalog.get(name.as_str()).is_some())
    {
        return Err(BrokenRepo::Left(left.clone()));
    }
    match new {
        Some(new) if repo.catalog.get(new).is_none() => Err(BrokenRepo::Missing(new.to_owned())),
        _ => Ok(()),
    }
}

/// Removes an action: its file, and the line that requires it. Returns the changed files.
///
/// # Errors
/// When there is no such action, or it shares its file with other code.
pub async fn remove(
    runtime: &Runtime,
    limits: &Limits,
    folder: &Path,
    name: &str,
) -> Result<Vec<PathBuf>, ChangeError> {
    let repo = load_valid(runtime, folder, limits).await?;
    let unknown = || ChangeError::Unfit(repo.catalog.unknown_action(name));
    let definition = repo.catalog.get(name).ok_or_else(unknown)?;
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
        return Err(by_hand(&why.to_string()));
    }
    Ok(vec![file, init])
}
