//! Where implementations come from, and what is made ready before one runs.
//!
//! `fetch` brings git repositories to this machine and `entry` finds the file to run in a folder.
//! `prepare` installs the packages that a source names, and `fingerprint` says what a result
//! depends on. `tools` runs the programs that do this, confined. Nothing here runs an action:
//! executors of native programs, of containers and of WebAssembly stand above this room.

mod command_line;
mod contents;
mod entry;
mod error;
mod fetch;
mod files;
mod fingerprint;
mod git;
mod hidden;
mod interpreter;
mod interpreter_advice;
mod manifest;
mod packages;
mod plain;
mod prepare;
mod sweep;
mod tools;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub(crate) use contents::Reading;
pub use entry::{Entry, find, inside};
pub use error::{SourceError, brief};
pub use fetch::Fetched;
pub(crate) use files::digest;
pub(crate) use fingerprint::of_source;
pub(crate) use interpreter::missing;
pub(crate) use packages::Packages;
pub(crate) use plain::{open_folder, plain};
pub(crate) use prepare::Prepared;
pub(crate) use tools::Tools;
pub use variables::FETCH_DEFAULTS;
pub(crate) use variables::{Variables, path_without_envyr, scrubbed, set};

use crate::activity::ActivityLog;
use crate::catalog::{Definition, Executor, Language, Source};
use crate::environment::Environment;
use crate::units::TimeLimit;

/// How long a command that is not a call waits for another host that fetches the same source.
const FETCH_WAIT: TimeLimit = TimeLimit::from_secs(600);

/// The configuration of sources.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Variables that fetching a source may see, beside the usual ones.
    pub fetch_env: Vec<String>,
    /// Where it is noted what is being fetched and prepared.
    pub activity: ActivityLog,
    /// Names files and folders that no action's process is to see, beside Kael's own.
    pub hidden: Option<fn(&Environment) -> Vec<PathBuf>>,
}

/// An action's implementation, as far as it was looked at.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// The folder that it runs from.
    pub folder: PathBuf,
    /// The entry point, relative to the folder.
    pub file: String,
    /// Its language.
    pub language: Language,
    /// What runs it.
    pub interpreter: String,
    /// What a file of WebAssembly imports, where that was looked at.
    pub imports: Vec<String>,
    /// What is installed before it runs: requirements of Python, and the manifests that pip and npm
    /// read themselves.
    pub packages: Vec<String>,
    /// What starts it, where that can be used.
    pub runner: Option<&'static str>,
}

/// The sources of one actions repo.
pub struct Sources {
    settings: Settings,
    environment: Environment,
    data: PathBuf,
    repo: PathBuf,
    /// Put together when the first source is fetched or prepared.
    variables: OnceLock<Seen>,
}

/// What programs see that fetch, prepare or run.
struct Seen {
    path: OsString,
    fetching: Variables,
    hidden: Vec<PathBuf>,
}

impl Sources {
    /// Those of the repo in the folder `repo`.
    #[must_use]
    pub fn new(settings: Settings, environment: Environment, repo: PathBuf) -> Self {
        Self {
            settings,
            data: environment.data_folder(),
            environment,
            repo,
            variables: OnceLock::new(),
        }
    }

    /// The same with clones in another folder than that of the environment.
    #[must_use]
    pub fn in_data(self, data: PathBuf) -> Self {
        Self { data, ..self }
    }

    /// Brings a source to this machine: its folder, canonical. `wait` bounds the time that it waits
    /// for another call that fetches the same.
    ///
    /// # Errors
    /// When there is no such folder, or it cannot be fetched.
    pub async fn fetch(&self, source: &Source, wait: TimeLimit) -> Result<PathBuf, SourceError> {
        match source {
            Source::Folder(path) => folder(&self.repo, path),
            Source::Git { url, tag } => self.tools(wait).cloned(url, tag.as_deref(), false).await,
        }
    }

    /// Brings a git repository to this machine, anew where that is wanted, and says what commit it
    /// is at.
    ///
    /// # Errors
    /// When it cannot be fetched: in the words of git.
    pub async fn fetch_git(
        &self,
        url: &str,
        tag: Option<&str>,
        refresh: bool,
    ) -> Result<Fetched, SourceError> {
        let tools = self.tools(FETCH_WAIT);
        let before = fetch::fetched(&self.data, url, tag);
        let is_new = refresh || before.is_none();
        let folder = tools.cloned(url, tag, refresh).await?;
        let commit = tools.commit(url, &folder).await?;
        Ok(Fetched {
            folder,
            commit,
            is_new,
        })
    }

    /// The commit that a branch or a tag of a git repository is at now, or its default branch without one. None where it is
    /// neither, such as the beginning of a commit's name. Nothing is brought here.
    ///
    /// # Errors
    /// When the other side cannot be asked: in the words of git.
    pub async fn commit_there(
        &self,
        url: &str,
        reference: Option<&str>,
    ) -> Result<Option<String>, SourceError> {
        if let Some(commit) = reference.filter(|text| git::is_commit(text)) {
            return Ok(Some(commit.to_owned()));
        }
        let folder = &self.data;
        std::fs::create_dir_all(folder).map_err(|error| files::local(folder, error))?;
        self.tools(FETCH_WAIT).commit_there(url, reference).await
    }

    /// Looks at an implementation without running it; a repository is fetched if that is wanted.
    /// None: it was not fetched yet.
    ///
    /// # Errors
    /// When the source or its entry point is not there.
    pub async fn look(
        &self,
        definition: &Definition,
        fetch: bool,
    ) -> Result<Option<Implementation>, SourceError> {
        let folder = match &definition.source {
            Source::Git { url, tag } if !fetch => {
                match fetch::fetched(&self.data, url, tag.as_deref()) {
                    Some(folder) => folder,
                    None => return Ok(None),
                }
            }
            source => self.fetch(source, FETCH_WAIT).await?,
        };
        if definition.executor == Executor::Wasm {
            return wasm_file(folder, definition).map(Some);
        }
        let entry = entry::find(&folder, definition)?;
        let packages = match definition.executor {
            Executor::Native => Packages::of(&entry, &definition.deps)?.names(),
            Executor::Docker | Executor::Wasm | Executor::Builtin | Executor::Mcp => Vec::new(),
        };
        Ok(Some(Implementation {
            folder: entry.folder,
            file: entry.file,
            language: entry.language,
            interpreter: entry.interpreter,
            imports: Vec::new(),
            packages,
            runner: None,
        }))
    }

    /// What a result depends on beside the definition and the parameters: the files of the source,
    /// and the variables that `env` names, hashed with `key`. `runner` says what runs it.
    ///
    /// # Errors
    /// When the source cannot be fetched or read.
    pub(crate) async fn fingerprint(
        &self,
        definition: &Definition,
        key: [u8; 32],
        runner: &str,
    ) -> Result<String, SourceError> {
        let folder = self.fetch(&definition.source, definition.timeout).await?;
        let (repo, environment) = (&self.repo, &self.environment);
        fingerprint::of_call(folder, repo, definition, environment, key, runner).await
    }

    /// The digest of all files of a source.
    ///
    /// # Errors
    /// When the source cannot be fetched or read.
    pub(crate) async fn digest(&self, definition: &Definition) -> Result<String, SourceError> {
        let folder = self.fetch(&definition.source, definition.timeout).await?;
        fingerprint::of_files(folder, definition.timeout.duration()).await
    }

    /// `PATH` of actions, and of the programs that fetch and prepare.
    pub(crate) fn path(&self) -> &OsStr {
        &self.seen().path
    }

    /// What runs the programs that fetch and prepare, with the time that it may wait for others.
    pub(crate) fn tools(&self, wait: TimeLimit) -> Tools<'_> {
        Tools {
            data: &self.data,
            env: &self.seen().fetching,
            activity: &self.settings.activity,
            hidden: &self.seen().hidden,
            wait,
        }
    }

    /// Where secrets come from, and what else a host hides from actions beside Kael's own.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        let more = self.settings.hidden;
        more.map(|more| more(&self.environment)).unwrap_or_default()
    }

    /// What no process of an action sees.
    #[must_use]
    pub fn hidden(&self) -> Vec<PathBuf> {
        self.seen().hidden.clone()
    }

    fn seen(&self) -> &Seen {
        self.variables.get_or_init(|| {
            let path = path_without_envyr(&self.environment, &self.data);
            let fetching = self.fetch_env(&path);
            let hidden = hidden::places(&self.environment, self.settings.hidden);
            Seen {
                path,
                fetching,
                hidden,
            }
        })
    }

    /// What fetching and preparing see: the scrubbed environment, and the variables for fetching.
    fn fetch_env(&self, path: &OsStr) -> Variables {
        let usual = FETCH_DEFAULTS.iter().map(|name| (*name).to_owned());
        let names: Vec<String> = usual
            .chain(self.settings.fetch_env.iter().cloned())
            .collect();
        let mut env = scrubbed(&self.environment, path, &names);
        if self.environment.get("GIT_SSH_COMMAND").is_none() {
            env.push(("GIT_SSH_COMMAND".into(), tools::SSH.into()));
        }
        env
    }
}

/// A folder of this machine, canonical; a relative one is looked for from the repo.
fn folder(repo: &Path, path: &Path) -> Result<PathBuf, SourceError> {
    let path = repo.join(path);
    path.canonicalize()
        .map_err(|error| SourceError::Folder { path, error })
}

/// The file of an action that runs in this process.
fn wasm_file(source: PathBuf, definition: &Definition) -> Result<Implementation, SourceError> {
    let folder = match &definition.subdir {
        None => source.clone(),
        Some(subdir) => inside(&source, &source, subdir, "subdir")?,
    };
    let file = definition.entrypoint.clone().unwrap_or_default();
    inside(&source, &folder, &file, "entrypoint")?;
    Ok(Implementation {
        folder,
        file,
        language: Language::Other,
        interpreter: "WebAssembly, in this process".to_owned(),
        imports: Vec::new(),
        packages: Vec::new(),
        runner: None,
    })
}
