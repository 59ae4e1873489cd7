//! Installs packages of Node into `node_modules` of their source, where Node looks for them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::{ENV, FAILED, installing_for, opened};
use crate::activity::SpanKind;
use crate::executor::on_path::on_path;
use crate::executor::process::Isolation;
use crate::executor::source::SourceError;
use crate::executor::source::entry::Entry;
use crate::executor::source::files::{digest, local, note, remove, write_whole};
use crate::executor::source::manifest::{manifest, reading};
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
        let files = MANIFESTS.map(|name| entry.folder.join(name));
        let wanted = async || {
            let all = files.clone();
            reading(&files, move || {
                all.each_ref().map(|file| digest(&[&manifest(file)]))
            })
            .await
        };
        let noted = || note(&stamp).unwrap_or_default();
        // A `node_modules` that Kael did not make is left alone: npm would delete from it what no
        // manifest names.
        let is_own = || !made.exists() || busy.exists() || noted().ends_with(" own");
        let current = async || {
            let installed = async |noted: String| {
                let wanted = digest(&wanted().await?.each_ref().map(String::as_str));
                Ok::<_, SourceError>(noted.split(' ').next() == Some(&wanted))
            };
            Ok(!is_own() || (made.exists() && installed(noted()).await?))
        };
        if current().await? {
            return Ok(());
        }
        if on_path("npm", self.path()).is_none() {
            return Err(SourceError::NoNpm);
        }
        let _preparing = self
            .activity
            .begin(SpanKind::Source, &installing_for("npm", entry));
        let _lock = self.lock(&key).await?;
        if current().await? {
            return Ok(());
        }
        fs::create_dir_all(&notes).map_err(|error| local(&notes, error))?;
        // Begun here and never finished, or made here for other manifests.
        fs::write(&busy, "").map_err(|error| local(&busy, error))?;
        remove(&made).await?;
        let (env, caches) = self.installing(&key, entry)?;
        let [before, _] = wanted().await?;
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
        // A `package.json` that was changed meanwhile may not be the one that npm has read.
        let [_, lock] = wanted().await?;
        let note = format!("{} own", digest(&[&before, &lock]));
        write_whole(&stamp, note.as_bytes()).map_err(|error| local(&stamp, error))?;
        fs::remove_file(&busy).ok();
        Ok(())
    }
}
