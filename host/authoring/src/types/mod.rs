//! Annotations of a repo for editors: what can be called, with what, and what comes back.

mod editor;
mod existing_annotations;
mod schema;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::outline::{self, Node};
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, Runtime};

/// The library, and the language's own part of it that a sandbox does not change.
const GLOBALS: &str = include_str!("globals.lua");

/// Why nothing was written, or not all of it.
#[derive(Debug, Error)]
pub enum TypesError {
    /// The repo.
    #[error(transparent)]
    Repo(#[from] LoadError),
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Files that are new, or as new.
    pub files: Vec<PathBuf>,
    /// Settings that are to be changed by hand.
    pub by_hand: Vec<PathBuf>,
    /// What those have to name, in `workspace.library`.
    pub library: &'static str,
    /// Actions.
    pub actions: usize,
    /// Actions with annotations of their own in the repo.
    pub kept: usize,
}

/// Writes the annotations of the repo in `repo` below the folder `into`, and the settings that make editors read them.
///
/// # Errors
/// When the repo is not valid, or a file cannot be written.
pub async fn write(
    runtime: &Runtime,
    repo: &Path,
    limits: &Limits,
    into: &Path,
) -> Result<Written, TypesError> {
    let repo = runtime.load(repo, crate::within(limits)).await?;
    let outline = outline::outline(runtime, Some(&repo), limits)
        .await
        .map_err(LoadError::Fault)?;
    let tree = outline.tree.unwrap_or(Node::Value);
    let seen = match (into.canonicalize(), repo.bundle.root.canonicalize()) {
        (Ok(into), Ok(root)) => root.starts_with(into),
        _ => false,
    };
    let (text, kept) = tree::write(&repo, &tree, !seen);
    let folder = into.join(editor::LIBRARY);
    let mut written = Written {
        library: editor::LIBRARY,
        actions: repo.catalog.iter().count(),
        kept,
        ..Written::default()
    };
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| TypesError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(fail(&folder))?;
    for (name, text) in [("globals.lua", GLOBALS), ("actions.lua", &text)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(fail(&path))?;
        written.files.push(path);
    }
    for name in editor::FILES {
        let path = into.join(name);
        match editor::settle(&path).map_err(fail(&path))? {
            editor::Outcome::Written => written.files.push(path),
            editor::Outcome::AsItWas => {}
            editor::Outcome::ByHand => written.by_hand.push(path),
        }
    }
    Ok(written)
}
