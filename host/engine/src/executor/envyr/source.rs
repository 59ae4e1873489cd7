//! Brings a source to this machine and prepares what its language needs: once, by one at a time, across processes.
//!
//! envyr makes virtual environments and installs packages during its first run of a source, does so twice when two first
//! runs meet, and leaves the half of it behind when it is stopped. So that run is one of its own here, of a program that does
//! nothing, under a lock file. The runs that follow are given a local folder that is ready. Repositories are cloned by git.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::entry::Entry;
use super::git::{self, Clone};
use super::variables::Variables;
use super::writable;
use crate::activity::{ActivityLog, SpanKind};
use crate::catalog::{Language, Source};
use crate::executor::lock::{self, Lock, Waiting};
use crate::executor::process::{self, Ending, Isolation, Opened, ProcessCommand};
use crate::executor::removal;
use crate::executor::temporary::Temporary;
use crate::executor::{failure_message, unblocked};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::permit;
use crate::text::hex;
use crate::units::TimeLimit;

/// A clone, a virtual environment and its packages may take this long.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes of a manifest that are looked at.
const MANIFEST_CAP: u64 = 16 << 20;

/// Bytes of a note of Kael's own.
const NOTE_CAP: u64 = 64 << 10;

/// Where tools keep what they downloaded: one folder for every source.
const CACHES: [(&str, &str); 3] = [
    ("PIP_CACHE_DIR", "pip"),
    ("NPM_CONFIG_CACHE", "npm"),
    ("XDG_CACHE_HOME", "other"),
];

/// Runs envyr for its side effects.
pub(super) struct Preparer<'a> {
    pub(super) envyr: &'a Path,
    pub(super) data: &'a Path,
    /// The scrubbed environment and the variables for fetching.
    pub(super) env: &'a Variables,
    /// A relative source is looked for from here.
    pub(super) repo: &'a Path,
    pub(super) activity: &'a ActivityLog,
    /// How long it waits for another host or call that does the same.
    pub(super) wait: TimeLimit,
}

impl Preparer<'_> {
    /// The source's folder on this machine, canonical.
    pub(super) async fn fetch(&self, source: &Source) -> Result<PathBuf, ActionError> {
        match source {
            Source::Folder(path) => folder(self.repo, path),
            Source::Git { url, tag } => self.clone_once(url, tag.as_deref()).await,
        }
    }

    /// A root of its own for every (source, tag): two tags in one clone run each other's code.
    async fn clone_once(&self, url: &str, tag: Option<&str>) -> Result<PathBuf, ActionError> {
        let key = digest(&[url, tag.unwrap_or_default()]);
        let root = self.data.join("sources").join(&key);
        let ready = root.join("ready");
        if let Ok(clone) = note(&ready) {
            return Ok(clone.into());
        }
        let _fetching = self
            .activity
            .begin(SpanKind::Source, &format!("fetching {url}"));
        let _lock = self.lock(&key).await?;
        if let Ok(clone) = note(&ready) {
            return Ok(clone.into());
        }
        // A clone that was stopped half-way stays broken until it is deleted.
        remove(&root).await?;
        fs::create_dir_all(&root).map_err(|error| local(&root, &error))?;
        let clone = Clone {
            url,
            tag,
            root: &root,
        };
        let git = git::find(self.env)?;
        for words in clone.commands() {
            let writable = vec![Opened::new(&root).map_err(|error| local(&root, &error))?];
            let (mut env, what) = (git::variables(self.env), format!("fetching {url} failed"));
            let isolation = match own_ssh_configuration(&mut env) {
                true => Isolation::Strongest,
                // As the user has said how, it may take a configuration that would seem to be nobody's.
                false => Isolation::SameUser,
            };
            self.run(&git, words, env, isolation, writable, &what)
                .await?;
        }
        let clone = clone.folder();
        let clone = clone
            .canonicalize()
            .map_err(|error| local(&clone, &error))?;
        write_whole(&ready, clone.to_string_lossy().as_bytes())
            .map_err(|error| local(&ready, &error))?;
        Ok(clone)
    }

    /// Makes the virtual environment or `node_modules` of a folder, unless they are there and current.
    pub(super) async fn prepare(&self, entry: &Entry) -> Result<(), ActionError> {
        let (manifests, made): (&[&str], &str) = match entry.language {
            Language::Python => (&["requirements.txt"], ".envyr/venv"),
            Language::Node if entry.folder.join("package.json").exists() => {
                (&["package.json", "package-lock.json"], "node_modules")
            }
            Language::Node | Language::Shell | Language::Other => return Ok(()),
        };
        // Kael itself looks at what is in it, and deletes it.
        writable::plain(entry)?;
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
        let _preparing = self.activity.begin(
            SpanKind::Source,
            &format!("{what} {}", name.to_string_lossy()),
        );
        let _lock = self.lock(&key).await?;
        if current() {
            return Ok(());
        }
        fs::create_dir_all(self.data.join("prepared")).map_err(|error| local(self.data, &error))?;
        // Begun here and never finished; or made here for other manifests, and npm is not asked while it is there. What
        // was there before Kael came is its owner's.
        let own = !made.exists() || busy.exists() || noted().ends_with(" own");
        if busy.exists() || (own && entry.language == Language::Node) {
            remove(&made).await?;
        }
        if own {
            fs::write(&busy, "").map_err(|error| local(&busy, &error))?;
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
        fs::create_dir_all(&caches).map_err(|error| local(&caches, &error))?;
        let open = |path: &Path| Opened::new(path).map_err(|error| local(path, &error));
        let writable = vec![open(&entry.folder)?, open(&caches)?];
        own_ssh_configuration(&mut env);
        let what = "preparing the source failed";
        self.run(self.envyr, args, env, Isolation::Strongest, writable, what)
            .await?;
        // What was installed has run code of its own there.
        writable::plain(entry)?;
        // npm makes no folder where there is nothing to put into it, and would be asked at every call.
        fs::create_dir_all(&made).map_err(|error| local(&made, &error))?;
        let note = format!("{} {}", wanted(), if own { "own" } else { "found" });
        write_whole(&stamp, note.as_bytes()).map_err(|error| local(&stamp, &error))?;
        fs::remove_file(&busy).ok();
        Ok(())
    }

    /// Waits for its turn to build an image, unless it was built before; the turn lasts as long as what is returned.
    pub(super) async fn image(&self, entry: &Entry, tag: &str) -> Result<Image, ActionError> {
        let key = digest(&[&entry.folder.to_string_lossy(), "image"]);
        let stamp = self.data.join("images").join(format!("{key}-{tag}"));
        if stamp.exists() {
            return Ok(Image { stamp, lock: None });
        }
        let lock = self.lock(&key).await?;
        // Built by another meanwhile: then nobody needs to wait for this one.
        let lock = (!stamp.exists()).then_some(lock);
        Ok(Image { stamp, lock })
    }

    /// Runs a program that may write what is said, and its `TMPDIR`.
    async fn run(
        &self,
        program: &Path,
        args: Vec<OsString>,
        mut env: Variables,
        isolation: Isolation,
        writable: Vec<Opened>,
        what: &str,
    ) -> Result<(), ActionError> {
        let room = process::room(PREPARE_TIMEOUT).await;
        let room = room.map_err(|error| local(program, &error))?;
        let temporary = Temporary::new(self.data)?;
        env.push(("TMPDIR".into(), temporary.path().into()));
        fs::create_dir_all(self.data.join("envyr")).map_err(|error| local(self.data, &error))?;
        let command = ProcessCommand {
            program: program.to_owned(),
            args,
            env,
            folder: self.data.to_owned(),
            stdin: Vec::new(),
            timeout: PREPARE_TIMEOUT,
            room: Some(room),
            stdout_cap: 64 << 20,
            stderr_tail: 64 << 10,
            isolation,
            writable: Some(writable),
            temporary: Some(temporary.opened()?),
            limits: None,
        };
        let finished = process::run(command, |_| ())
            .await
            .map_err(|error| local(program, &error))?;
        if finished.ending == Ending::Exited(0) {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
        let reason = failure_message::reason(&stderr, Language::Other);
        let late = finished.ending == Ending::TimedOut;
        let why = if late {
            format!("it took longer than {} s", PREPARE_TIMEOUT.as_secs())
        } else {
            reason.unwrap_or_else(|| "no word of why".to_owned())
        };
        let message = format!("{what}: {}", why.trim_start_matches("Error: "));
        let detail = Some(Box::new(Detail {
            stderr,
            ..Detail::default()
        }));
        Err(ActionError {
            kind: ErrorKind::Unavailable,
            message,
            detail,
        })
    }

    /// Waits for its turn; released when dropped, by the end of the process too.
    async fn lock(&self, key: &str) -> Result<Lock, ActionError> {
        let folder = self.data.join("locks");
        let locked = lock::lock(&folder, key, Waiting::within(self.wait.duration())).await;
        let locked = locked.map_err(|error| local(&folder.join(key), &error))?;
        locked.ok_or_else(|| {
            let message = format!(
                "waited {} for another call that prepares the same source",
                self.wait
            );
            ActionError::new(ErrorKind::Timeout, message)
        })
    }
}

/// A folder of this machine, canonical; a relative one is looked for from the repo.
pub(super) fn folder(repo: &Path, path: &Path) -> Result<PathBuf, ActionError> {
    let path = repo.join(path);
    path.canonicalize().map_err(|error| {
        let message = format!(
            "the source {} cannot be opened: {}",
            path.display(),
            super::entry::brief(&error)
        );
        ActionError::unavailable(message, None)
    })
}

/// A git source that was fetched before.
pub(super) fn fetched(data: &Path, url: &str, tag: Option<&str>) -> Option<PathBuf> {
    let key = digest(&[url, tag.unwrap_or_default()]);
    let ready = data.join("sources").join(key).join("ready");
    note(&ready).ok().map(PathBuf::from)
}

/// A note of Kael's own.
fn note(path: &Path) -> io::Result<String> {
    unblocked::text(path, NOTE_CAP)
}

/// In a user namespace the system's configuration of ssh seems to be nobody's, and ssh refuses that.
/// So ssh takes the user's own alone, where Kael is not root. False where the user has said how ssh is
/// called: then that is left as it is.
fn own_ssh_configuration(env: &mut Variables) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    let home = env.iter().find(|(name, _)| name == "HOME");
    let own = home.map(|(_, home)| Path::new(home).join(".ssh/config"));
    let own = own.filter(|own| own.is_file());
    let command = env
        .iter_mut()
        .find(|(name, value)| name == "GIT_SSH_COMMAND" && value == super::SSH);
    let Some((_, command)) = command else {
        return false;
    };
    command.push(" -F ");
    // In quotes, as a shell reads it.
    match own.as_deref().and_then(Path::to_str) {
        Some(own) => command.push(format!("'{}'", own.replace('\'', r"'\''"))),
        None => command.push("none"),
    }
    true
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

/// An image that is being built, or was.
pub(super) struct Image {
    stamp: PathBuf,
    lock: Option<Lock>,
}

impl Image {
    /// Whether it is not known to be there.
    pub(super) fn missing(&self) -> bool {
        self.lock.is_some()
    }

    /// It is there now: others need not wait any longer.
    pub(super) fn note(&mut self) {
        // When this is lost, the next call takes a turn that it need not take.
        self.stamp.parent().map(fs::create_dir_all).transpose().ok();
        fs::write(&self.stamp, "").ok();
        self.lock = None;
    }
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

/// Deletes a folder. What was killed while it wrote there may take a moment to be gone.
async fn remove(folder: &Path) -> Result<(), ActionError> {
    let mut rounds = 0;
    loop {
        let path = folder.to_owned();
        // What packages have made when they were installed may be deep, and be much.
        let removing = permit::blocking(move || removal::remove(&path));
        match removing
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(()) => return Ok(()),
            Err(error) if rounds == 100 => return Err(local(folder, &error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        rounds += 1;
    }
}

/// Written beside and moved in, so that nobody reads half of it.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(beside, path)
}

fn local(path: &Path, error: &io::Error) -> ActionError {
    ActionError::unavailable(format!("{}: {error}", path.display()), None)
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..16])
}
