//! Writes annotations of a repo for editors: its actions, their parameters and their results.

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
pub(crate) const GLOBALS: &str = include_str!("globals.lua");

/// Why the annotations were not written, or not all of them.
#[derive(Debug, Error)]
pub enum TypesError {
    /// The repo is not valid.
    #[error(transparent)]
    Repo(#[from] LoadError),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The files that were written.
#[derive(Debug, Default)]
pub struct Written {
    /// New and updated files.
    pub files: Vec<PathBuf>,
    /// Settings files that need an edit by hand.
    pub by_hand: Vec<PathBuf>,
    /// The folder that such a file must name in `workspace.library`.
    pub library: &'static str,
    /// How many actions the repo has.
    pub actions: usize,
    /// How many of them keep the annotations of their author.
    pub kept: usize,
}

/// Writes the annotations of `repo` below the folder `into`, and the settings that make editors
/// read them. `modules` are annotations of what the host brings: paths and texts.
///
/// # Errors
/// When the repo is not valid, or a file cannot be written.
pub async fn write(
    runtime: &Runtime,
    repo: &Path,
    limits: &Limits,
    into: &Path,
    modules: &[(String, String)],
) -> Result<Written, TypesError> {
    let repo = runtime.load(repo, crate::within(limits)).await?;
    let outline = outline::outline(runtime, Some(&repo), limits)
        .await
        .map_err(|error| LoadError::Fault(error.to_string()))?;
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
    for (name, text) in modules {
        let path = folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fail(folder))?;
        }
        fs::write(&path, text).map_err(fail(&path))?;
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
