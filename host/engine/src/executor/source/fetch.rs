//! Brings git repositories to this machine: each (source, tag) once, into a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::SourceError;
use super::files::{digest, local, note, remove, write_whole};
use super::git::{self, Clone};
use super::tools::{Tool, Tools, own_ssh_configuration};
use crate::activity::{SpanGuard, SpanKind};
use crate::executor::process::{Isolation, Opened};

/// Where the clones of a source are kept.
struct Place {
    /// Of the lock that is held while a clone is made.
    key: String,
    root: PathBuf,
    /// The file that names the clone for the next calls.
    ready: PathBuf,
}

impl Tools<'_> {
    fn place(&self, url: &str, tag: Option<&str>) -> Place {
        let key = key(url, tag);
        let root = self.data.join("sources").join(&key);
        let ready = root.join("ready");
        Place { key, root, ready }
    }

    fn fetching(&self, url: &str) -> SpanGuard {
        let what = format!("fetching {url}");
        self.activity.begin(SpanKind::Source, &what)
    }

    /// The folder of a clone, which is made where there is none. Two tags in one clone would run
    /// each other's code, so each has a root of its own.
    pub(super) async fn clone_once(
        &self,
        url: &str,
        tag: Option<&str>,
    ) -> Result<PathBuf, SourceError> {
        let Place { key, root, ready } = self.place(url, tag);
        if let Ok(clone) = note(&ready) {
            return Ok(clone.into());
        }
        let _fetching = self.fetching(url);
        let _lock = self.lock(&key).await?;
        if let Ok(clone) = note(&ready) {
            return Ok(clone.into());
        }
        // A clone that was stopped half-way stays broken until it is deleted.
        remove(&root).await?;
        fs::create_dir_all(&root).map_err(|error| local(&root, error))?;
        let clone = self.clone_into(&root, url, tag).await?;
        write_whole(&ready, clone.to_string_lossy().as_bytes())
            .map_err(|error| local(&ready, error))?;
        Ok(clone)
    }

    /// The folder of a new clone, which calls use from now on. Calls that run in the one before go
    /// on there; it is deleted when the next one is made.
    pub(super) async fn clone_anew(
        &self,
        url: &str,
        tag: Option<&str>,
    ) -> Result<PathBuf, SourceError> {
        let Place { key, root, ready } = self.place(url, tag);
        let _fetching = self.fetching(url);
        let _lock = self.lock(&key).await?;
        let before = note(&ready).ok().map(PathBuf::from);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let fresh = root.join(now.unwrap_or_default().as_nanos().to_string());
        fs::create_dir_all(&fresh).map_err(|error| local(&fresh, error))?;
        let clone = match self.clone_into(&fresh, url, tag).await {
            Ok(clone) => clone,
            Err(error) => {
                // What cannot be deleted now is deleted with the next clone.
                remove(&fresh).await.ok();
                return Err(error);
            }
        };
        write_whole(&ready, clone.to_string_lossy().as_bytes())
            .map_err(|error| local(&ready, error))?;
        let is_used = |path: &Path| {
            let holds = |clone: &Path| clone.starts_with(path);
            holds(&clone) || before.as_deref().is_some_and(holds)
        };
        let real = root.canonicalize().map_err(|error| local(&root, error))?;
        for entry in fs::read_dir(&real).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !is_used(&entry.path()) {
                remove(&entry.path()).await.ok();
            }
        }
        Ok(clone)
    }

    /// The commit that a clone is at.
    pub(super) async fn commit(&self, url: &str, clone: &Path) -> Result<String, SourceError> {
        let git = git::find(self.env)?;
        let tool = Tool {
            program: &git,
            args: git::commit_of(clone),
            env: git::variables(self.env),
            folder: self.data,
            isolation: Isolation::Strongest,
            writable: Vec::new(),
            what: &format!("reading the commit of {url} failed"),
        };
        let printed = self.run(tool).await?;
        Ok(String::from_utf8_lossy(printed.trim_ascii()).into_owned())
    }

    /// Clones into an empty folder. Gives the folder of the clone, canonical.
    async fn clone_into(
        &self,
        root: &Path,
        url: &str,
        tag: Option<&str>,
    ) -> Result<PathBuf, SourceError> {
        let clone = Clone { url, tag, root };
        let git = git::find(self.env)?;
        let what = format!("fetching {url} failed");
        for args in clone.commands() {
            let mut env = git::variables(self.env);
            let isolation = match own_ssh_configuration(&mut env) {
                true => Isolation::Strongest,
                // As the user has said how, it may take a configuration that would seem to belong
                // to another user.
                false => Isolation::SameUser,
            };
            let tool = Tool {
                program: &git,
                args,
                env,
                folder: self.data,
                isolation,
                writable: vec![Opened::new(root).map_err(|error| local(root, error))?],
                what: &what,
            };
            self.run(tool).await?;
        }
        let clone = clone.folder();
        clone.canonicalize().map_err(|error| local(&clone, error))
    }
}

/// A git source on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder of the clone, canonical.
    pub folder: PathBuf,
    /// The commit that it is at.
    pub commit: String,
    /// It was cloned now.
    pub is_new: bool,
}

/// A git source that was fetched before.
pub(super) fn fetched(data: &Path, url: &str, tag: Option<&str>) -> Option<PathBuf> {
    let ready = data.join("sources").join(key(url, tag)).join("ready");
    note(&ready).ok().map(PathBuf::from)
}

fn key(url: &str, tag: Option<&str>) -> String {
    digest(&[url, tag.unwrap_or_default()])
}
