//! Prepares what the language of a source needs: once, by one at a time, across processes.
//!
//! envyr makes virtual environments and installs packages during its first run of a source, does so
//! twice when two first runs meet, and leaves the half of it behind when it is stopped. So that run
//! is one of its own here, of a program that does nothing, under a lock file. The runs that follow
//! are given a local folder that is ready.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::SourceError;
use super::entry::Entry;
use super::files::{digest, local, note, remove, write_whole};
use super::plain::plain;
use super::tools::{Tool, Tools, own_ssh_configuration};
use crate::activity::Kind;
use crate::catalog::Language;
use crate::executor::process::{Isolation, Opened};
use crate::executor::unblocked;

/// Bytes of a manifest that are looked at.
const MANIFEST_CAP: u64 = 16 << 20;

/// Where tools keep what they downloaded: one folder for every source.
const CACHES: [(&str, &str); 3] = [
    ("PIP_CACHE_DIR", "pip"),
    ("NPM_CONFIG_CACHE", "npm"),
    ("XDG_CACHE_HOME", "other"),
];

impl Tools<'_> {
    /// Makes the virtual environment or `node_modules` of a folder, unless they are there and current.
    pub(crate) async fn prepare(&self, envyr: &Path, entry: &Entry) -> Result<(), SourceError> {
        let (manifests, made): (&[&str], &str) = match entry.language {
            Language::Python => (&["requirements.txt"], ".envyr/venv"),
            Language::Node if entry.folder.join("package.json").exists() => {
                (&["package.json", "package-lock.json"], "node_modules")
            }
            Language::Node | Language::Shell | Language::Other => return Ok(()),
        };
        // Kael itself looks at what is in it, and deletes it.
        plain(entry)?;
        let key = digest(&[&entry.folder.to_string_lossy(), entry.language.name()]);
        let (stamp, busy) = (
            self.data.join("prepared").join(&key),
            self.data.join("prepared").join(format!("{key}.busy")),
        );
        let made = entry.folder.join(made);
        // npm writes one of its manifests itself, so this is asked again when it is done.
        let wanted = || {
            let read = |name: &&str| manifest(&entry.folder.join(name));
            let content: Vec<String> = manifests.iter().map(read).collect();
            digest(&content.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let noted = || note(&stamp).unwrap_or_default();
        let current = || made.exists() && noted().split(' ').next() == Some(&wanted());
        if current() {
            return Ok(());
        }
        let what = match entry.language {
            Language::Python => "installing Python packages for",
            _ => "installing npm packages for",
        };
        let name = entry.folder.file_name().unwrap_or_default();
        let _preparing = self
            .activity
            .begin(Kind::Source, &format!("{what} {}", name.to_string_lossy()));
        let _lock = self.lock(&key).await?;
        if current() {
            return Ok(());
        }
        fs::create_dir_all(self.data.join("prepared")).map_err(|error| local(self.data, error))?;
        // Begun here and never finished; or made here for other manifests, and npm is not asked while it is there. What
        // was there before Kael came is its owner's.
        let own = !made.exists() || busy.exists() || noted().ends_with(" own");
        if busy.exists() || (own && entry.language == Language::Node) {
            remove(&made).await?;
        }
        if own {
            fs::write(&busy, "").map_err(|error| local(&busy, error))?;
        }
        let mut args: Vec<OsString> = vec!["--root".into(), self.data.join("envyr").into()];
        args.extend(idle_run(entry.language.name()).map(OsString::from));
        args.push(entry.folder.as_os_str().to_owned());
        // Packages run code of their own when they are installed: that reaches this source and caches of its own.
        let caches = self.data.join("caches").join(&key);
        let mut env = self.env.clone();
        for (variable, tool) in CACHES {
            env.push((variable.into(), caches.join(tool).into()));
        }
        fs::create_dir_all(&caches).map_err(|error| local(&caches, error))?;
        let open = |path: &Path| Opened::new(path).map_err(|error| local(path, error));
        let writable = vec![open(&entry.folder)?, open(&caches)?];
        own_ssh_configuration(&mut env);
        let tool = Tool {
            program: envyr,
            args,
            env,
            folder: self.data,
            isolation: Isolation::Strongest,
            writable,
            what: "preparing the source failed",
        };
        self.run(tool).await?;
        // What was installed has run code of its own there.
        plain(entry)?;
        // npm makes no folder where there is nothing to put into it, and would be asked at every call.
        fs::create_dir_all(&made).map_err(|error| local(&made, error))?;
        let note = format!("{} {}", wanted(), if own { "own" } else { "found" });
        write_whole(&stamp, note.as_bytes()).map_err(|error| local(&stamp, error))?;
        fs::remove_file(&busy).ok();
        Ok(())
    }
}

/// The start of a manifest, which what was installed may have replaced: by a pipe that nobody writes to, or by a file
/// without end.
fn manifest(path: &Path) -> String {
    let mut content = Vec::new();
    if let Ok(file) = unblocked::open(path) {
        file.take(MANIFEST_CAP).read_to_end(&mut content).ok();
    }
    String::from_utf8_lossy(&content).into_owned()
}

/// A run of nothing: the interpreter is a program that ignores the file it is given. (Python's is always that of the
/// virtual environment, and an empty file does nothing there either.)
fn idle_run(language: &str) -> impl Iterator<Item = &str> {
    [
        "run",
        "--executor",
        "native",
        "--autogen",
        "-t",
        language,
        "-i",
        "/usr/bin/env true",
        "-x",
        "/dev/null",
    ]
    .into_iter()
}
