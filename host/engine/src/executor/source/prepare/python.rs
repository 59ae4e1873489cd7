//! Installs packages of Python into a virtual environment in Kael's data folder.
//!
//! The environment is named by what was installed, so a change of a manifest makes another one, and
//! calls that run in the old one go on. pip writes a source only where it builds it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ENV, FAILED, installing_for, opened};
use crate::activity::SpanKind;
use crate::executor::process::Isolation;
use crate::executor::source::SourceError;
use crate::executor::source::entry::Entry;
use crate::executor::source::files::{digest, local, note, remove, write_whole};
use crate::executor::source::interpreter;
use crate::executor::source::packages::{Packages, Python};
use crate::executor::source::tools::{Tool, Tools};

/// Environments of one entry point that are kept: calls may still run in the older ones.
const KEPT: usize = 4;

impl Tools<'_> {
    /// The virtual environment with these packages. None where a manifest was changed meanwhile.
    pub(super) async fn prepare_python(
        &self,
        entry: &Entry,
        deps: &[String],
        wanted: &Python,
    ) -> Result<Option<PathBuf>, SourceError> {
        let file = match wanted.is_of_entry {
            true => entry.file.as_str(),
            false => "",
        };
        let folder = entry.folder.to_string_lossy();
        // Definitions with other `deps` have environments of their own: so many of them as there
        // are would otherwise drive each other out.
        let parts = [&*folder, file, "python"].into_iter();
        let parts: Vec<&str> = parts.chain(deps.iter().map(String::as_str)).collect();
        let key = digest(&parts);
        let home = self.data.join("environments").join(&key);
        let made = home.join(wanted.digest(&entry.interpreter));
        let (ready, venv) = (made.join("ready"), made.join("venv"));
        // An upgrade of Python may have taken away what the environment links to, or put another
        // version in its place, which looks for packages elsewhere.
        let current = || match (note(&ready), python_of(&venv)) {
            (Ok(noted), Ok(python)) => noted == python,
            _ => false,
        };
        if current() {
            return Ok(Some(venv));
        }
        if let Some(error) = interpreter::missing(entry, self.path()) {
            return Err(error);
        }
        let _preparing = self
            .activity
            .begin(SpanKind::Source, &installing_for("Python", entry));
        let _lock = self.lock(&key).await?;
        if current() {
            return Ok(Some(venv));
        }
        // Begun before and never finished.
        remove(&made).await?;
        fs::create_dir_all(&venv).map_err(|error| local(&venv, error))?;
        let (mut env, caches) = self.installing(&key, entry)?;
        env.push(("PIP_DISABLE_PIP_VERSION_CHECK".into(), "1".into()));
        env.push(("PIP_NO_INPUT".into(), "1".into()));
        let python = venv.join("bin/python");
        // A requirement may be the source itself, which is built where it stands. Packages run code
        // of their own meanwhile, so `ready` is where they cannot write.
        let writable = || opened(&[&venv, &caches, &entry.folder]);
        let (program, args) = making(&entry.interpreter, &venv);
        for (program, args) in [
            (program.as_path(), args),
            (python.as_path(), installing(wanted)),
        ] {
            let tool = Tool {
                program,
                args,
                env: env.clone(),
                folder: &entry.folder,
                isolation: Isolation::Strongest,
                writable: writable()?,
                what: FAILED,
            };
            self.run(tool).await?;
        }
        // What pip read may be what a manifest says by now.
        if Packages::looked_up(entry, deps).await? != Packages::Python(wanted.clone()) {
            remove(&made).await?;
            return Ok(None);
        }
        let noted = python_of(&venv).map_err(|error| local(&python, error))?;
        write_whole(&ready, noted.as_bytes()).map_err(|error| local(&ready, error))?;
        forget_old(&home).await;
        Ok(Some(venv))
    }
}

/// The program that a virtual environment links to, by its canonical path.
fn python_of(venv: &Path) -> io::Result<String> {
    let python = venv.join("bin/python").canonicalize()?;
    Ok(python.to_string_lossy().into_owned())
}

/// The command that makes a virtual environment. `-I` keeps the source, in whose folder it runs,
/// from standing in for modules of Python.
fn making(interpreter: &str, venv: &Path) -> (PathBuf, Vec<OsString>) {
    let mut words: Vec<OsString> = interpreter.split_whitespace().map(OsString::from).collect();
    if !interpreter.starts_with('/') {
        words.insert(0, ENV.into());
    }
    words.extend(["-I", "-m", "venv"].map(OsString::from));
    words.push(venv.into());
    let program = words.remove(0);
    (program.into(), words)
}

/// The arguments with which Python installs packages, in the folder of the source.
fn installing(wanted: &Python) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-I", "-m", "pip", "install", "--quiet"]
        .map(OsString::from)
        .into();
    if wanted.requirements.is_some() {
        args.extend(["-r", "requirements.txt"].map(OsString::from));
    }
    args.push("--".into());
    args.extend(wanted.specs.iter().map(OsString::from));
    args
}

/// Deletes the oldest environments of a source. What cannot be deleted is tried the next time.
async fn forget_old(home: &Path) {
    let made = |path: &Path| {
        path.join("ready")
            .metadata()
            .and_then(|ready| ready.modified())
    };
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut all: Vec<(SystemTime, PathBuf)> = entries
        .map(|entry| entry.path())
        .map(|path| (made(&path).unwrap_or(SystemTime::UNIX_EPOCH), path))
        .collect();
    all.sort();
    let old = all.len().saturating_sub(KEPT);
    for (_, path) in all.into_iter().take(old) {
        remove(&path).await.ok();
    }
}
