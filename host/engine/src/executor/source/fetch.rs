//! Brings git repositories to this machine: each (source, tag) once, into a folder of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::SourceError;
use super::files::{digest, local, note, remove, write_whole};
use super::git::{self, Clone};
use super::sweep::sweep;
use super::tools::{Tool, Tools, own_ssh_configuration};
use crate::activity::SpanKind;
use crate::executor::process::{Isolation, Opened};

/// The file in the root of a source that names the clone for the next calls.
const READY: &str = "ready";

impl Tools<'_> {
    /// The folder of a clone, which is made where there is none, or where `refresh` wants a new one.
    /// Calls that run in the one before go on there; it is deleted when the next one is made.
    ///
    /// Two tags in one clone would run each other's code, so each has a root of its own. git writes
    /// a folder in that root alone: the file that names the clone for the next calls is Kael's.
    pub(super) async fn cloned(
        &self,
        url: &str,
        tag: Option<&str>,
        refresh: bool,
    ) -> Result<PathBuf, SourceError> {
        let there = || fetched(self.data, url, tag);
        if let (Some(clone), false) = (there(), refresh) {
            return Ok(clone);
        }
        let what = format!("fetching {url}");
        let _fetching = self.activity.begin(SpanKind::Source, &what);
        let key = key(url, tag);
        let _lock = self.lock(&key).await?;
        let before = there();
        if let (Some(clone), false) = (&before, refresh) {
            return Ok(clone.clone());
        }
        let root = self.data.join("sources").join(&key);
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
        let ready = root.join(READY);
        write_whole(&ready, clone.to_string_lossy().as_bytes())
            .map_err(|error| local(&ready, error))?;
        let real = root.canonicalize().map_err(|error| local(&root, error))?;
        let kept: Vec<PathBuf> = [clone.clone()].into_iter().chain(before).collect();
        delete_others(&real, &kept).await;
        sweep(self.data).await;
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

    /// The commit that a branch or tag of a repository elsewhere is at, or its default branch without one. None where it is
    /// neither. Nothing is brought here.
    pub(super) async fn commit_there(
        &self,
        url: &str,
        reference: Option<&str>,
    ) -> Result<Option<String>, SourceError> {
        let args = git::commits_at(url, reference);
        let what = format!("asking {url} for its commits failed");
        let printed = self.git(args, Vec::new(), &what).await?;
        Ok(git::commit_at(
            &String::from_utf8_lossy(&printed),
            reference,
        ))
    }

    /// Clones into an empty folder. Gives the folder of the clone, canonical.
    async fn clone_into(
        &self,
        root: &Path,
        url: &str,
        tag: Option<&str>,
    ) -> Result<PathBuf, SourceError> {
        let clone = Clone { url, tag, root };
        let what = format!("fetching {url} failed");
        for args in clone.commands() {
            let writable = vec![Opened::new(root).map_err(|error| local(root, error))?];
            self.git(args, writable, &what).await?;
        }
        let clone = clone.folder();
        clone.canonicalize().map_err(|error| local(&clone, error))
    }

    /// Runs git where it may ask another machine. Gives what it printed.
    async fn git(
        &self,
        args: Vec<OsString>,
        writable: Vec<Opened>,
        what: &str,
    ) -> Result<Vec<u8>, SourceError> {
        let git = git::find(self.env)?;
        let mut env = git::variables(self.env);
        let isolation = match own_ssh_configuration(&mut env) {
            true => Isolation::Strongest,
            // `GIT_SSH_COMMAND` is set: ssh may read a configuration that would seem to belong
            // to another user.
            false => Isolation::SameUser,
        };
        let tool = Tool {
            program: &git,
            args,
            env,
            folder: self.data,
            isolation,
            writable,
            what,
        };
        self.run(tool).await
    }
}

/// Deletes all clones in a root but these. What cannot be deleted is deleted with the next clone.
async fn delete_others(root: &Path, kept: &[PathBuf]) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !kept.iter().any(|clone| clone.starts_with(&path)) {
            remove(&path).await.ok();
        }
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
    let root = data.join("sources").join(key(url, tag));
    note(&root.join(READY)).ok().map(PathBuf::from)
}

fn key(url: &str, tag: Option<&str>) -> String {
    digest(&[url, tag.unwrap_or_default()])
}
