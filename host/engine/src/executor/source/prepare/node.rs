//! Installs packages of Node into `node_modules` of their source, where Node looks for them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::{ENV, FAILED, installing_for, opened};
use crate::activity::SpanKind;
use crate::executor::process::Isolation;
use crate::executor::source::SourceError;
use crate::executor::source::entry::Entry;
use crate::executor::source::files::{digest, local, note, remove, write_whole};
use crate::executor::source::packages::manifest;
use crate::executor::source::plain::plain;
use crate::executor::source::tools::{Tool, Tools};

/// What npm installs by.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

const INSTALL: [&str; 6] = [
    "npm",
    "install",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
];

impl Tools<'_> {
    /// Makes `node_modules` of a folder, unless it is there and current.
    pub(super) async fn prepare_node(&self, entry: &Entry) -> Result<(), SourceError> {
        // Kael itself looks at what is in it, and deletes it.
        plain(entry)?;
        let key = digest(&[&entry.folder.to_string_lossy(), entry.language.name()]);
        let notes = self.data.join("prepared");
        let (stamp, busy) = (notes.join(&key), notes.join(format!("{key}.busy")));
        let made = entry.folder.join("node_modules");
        // npm writes one of its manifests itself, so this is asked again when it is done.
        let wanted = || {
            let content = MANIFESTS.map(|name| manifest(&entry.folder.join(name)));
            digest(&content.each_ref().map(String::as_str))
        };
        let noted = || note(&stamp).unwrap_or_default();
        // What was there before Kael came is its owner's: npm would delete what no manifest names.
        let is_own = || !made.exists() || busy.exists() || noted().ends_with(" own");
        let current =
            || !is_own() || (made.exists() && noted().split(' ').next() == Some(&wanted()));
        if current() {
            return Ok(());
        }
        if !std::env::split_paths(self.path()).any(|folder| folder.join("npm").is_file()) {
            return Err(SourceError::NoNpm);
        }
        let _preparing = self
            .activity
            .begin(SpanKind::Source, &installing_for("npm", entry));
        let _lock = self.lock(&key).await?;
        if current() {
            return Ok(());
        }
        fs::create_dir_all(&notes).map_err(|error| local(&notes, error))?;
        // Begun here and never finished, or made here for other manifests.
        fs::write(&busy, "").map_err(|error| local(&busy, error))?;
        remove(&made).await?;
        let (env, caches) = self.installing(&key)?;
        let tool = Tool {
            program: &PathBuf::from(ENV),
            args: INSTALL.map(OsString::from).into(),
            env,
            folder: &entry.folder,
            isolation: Isolation::Strongest,
            writable: opened(&[&entry.folder, &caches])?,
            what: FAILED,
        };
        self.run(tool).await?;
        // Packages have run code of their own there.
        plain(entry)?;
        // npm makes no folder where it has nothing to put into it, and would be asked at every call.
        fs::create_dir_all(&made).map_err(|error| local(&made, error))?;
        let note = format!("{} own", wanted());
        write_whole(&stamp, note.as_bytes()).map_err(|error| local(&stamp, error))?;
        fs::remove_file(&busy).ok();
        Ok(())
    }
}
