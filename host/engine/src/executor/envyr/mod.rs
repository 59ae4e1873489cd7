//! Runs implementations through envyr, and works around what it does not do itself.

mod contents;
mod detect_limit;
mod docker;
mod entry;
mod git;
mod missing;
mod outcome;
mod plan;
mod source;
mod tool;
mod variables;
mod writable;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

pub use entry::{brief, inside};
pub use tool::{InstallError, REMEDY, VERSION, find, install, is_current, tools_folder};
pub use variables::FETCH_DEFAULTS;

use super::adapters::{self, ProgramInput};
use super::granted::{Places, judge_program};
use super::process::{self, Command, Finished, Isolation, Opened};
use super::result_file;
use super::temporary::{self, Temporary};
use super::{
    Execute, Execution, Fingerprint, Invocation, Planning, Printed, STDERR_TAIL, STDOUT_CAP,
};
use crate::activity::Activity;
use crate::catalog::{Definition, Executor, Language, Output, Source};
use crate::confinement::Confinement;
use crate::environment::Environment;
use crate::failure::ActionError;
use crate::limits::ProcessLimits;
use crate::permit;
use crate::units::TimeLimit;
use entry::Entry;
use source::Preparer;
use variables::Variables;

/// How ssh is called, where the user has not said how. A question about a host key would wait for
/// an answer for ever.
const SSH: &str = "ssh -oBatchMode=yes";
/// How long what is no call waits for another host that fetches the same source.
const FETCH_WAIT: TimeLimit = TimeLimit::from_secs(600);

/// What the user settled about envyr.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The program to use instead of Kael's own or the one on `PATH`.
    pub envyr: Option<PathBuf>,
    /// Variables that fetching a source may see, beside the usual ones.
    pub fetch_env: Vec<String>,
    /// How much of their confinement native actions need. Every call is held to it.
    pub confinement: Confinement,
    /// The program that compiles actions of WebAssembly: a `kael-host`, or one that does what
    /// `kael_wasm::compile_stdin` does when its first argument is `kael_wasm::WORD` and its second
    /// that function's. Without it, only what was compiled before can be run.
    pub compiler: Option<PathBuf>,
    /// Where it is noted what is being fetched, prepared and built.
    pub activity: Activity,
}

/// What there is of an action's implementation.
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
}

/// Runs implementations of one actions repo.
pub struct Envyr {
    settings: Settings,
    environment: Environment,
    data: PathBuf,
    repo: PathBuf,
    /// Looked for when the first action runs.
    found: OnceCell<Found>,
    /// Looked for when the first action with `executor = "docker"` runs.
    engine: OnceCell<docker::Engine>,
    /// Set once this machine was found to have all of the confinement that is required.
    confined: OnceCell<()>,
}

#[derive(Clone)]
struct Found {
    envyr: PathBuf,
    path: OsString,
    fetch_env: Variables,
}

/// A call whose source is here.
struct Call<'a> {
    definition: &'a Definition,
    given: ProgramInput,
    found: &'a Found,
    preparer: Preparer<'a>,
    entry: Entry,
    env: Variables,
}

impl Envyr {
    /// An executor for the repo in the folder `repo`.
    #[must_use]
    pub fn new(settings: Settings, environment: Environment, repo: PathBuf) -> Self {
        let data = environment.data_folder();
        Self {
            settings,
            environment,
            data,
            repo,
            found: OnceCell::new(),
            engine: OnceCell::new(),
            confined: OnceCell::new(),
        }
    }

    /// Refuses a call whose confinement the operator requires and this machine cannot give. It is asked before anything is
    /// fetched, prepared or started for the call.
    ///
    /// A container is confined by its engine and an action of WebAssembly by the instance that it runs in: both have all of
    /// their confinement on every machine that runs them at all, so that native actions alone can lack a part.
    async fn admit(&self, executor: Executor) -> Result<(), ActionError> {
        if self.settings.confinement != Confinement::Required || executor != Executor::Native {
            return Ok(());
        }
        let look = async || super::required(super::missing_confinement().await);
        self.confined.get_or_try_init(look).await.copied()
    }

    async fn found(&self) -> Result<&Found, ActionError> {
        let find = async || {
            let envyr = tool::find(
                self.settings.envyr.as_deref(),
                &self.data,
                &self.environment,
            )?;
            let path = variables::path_without_envyr(&self.environment, &self.data);
            let fetch_env = self.fetch_env(&path);
            Ok(Found {
                envyr,
                path,
                fetch_env,
            })
        };
        self.found.get_or_try_init(find).await
    }

    /// Brings a source to this machine: its folder, canonical. Only a repository needs envyr.
    pub async fn fetch(&self, source: &Source, wait: TimeLimit) -> Result<PathBuf, ActionError> {
        match source {
            Source::Folder(path) => source::folder(&self.repo, path),
            Source::Git { .. } => {
                let found = self.found().await?;
                self.preparer(found, wait).fetch(source).await
            }
        }
    }

    /// Looks at an implementation without running it; a repository is fetched if that is wanted. None: it was not
    /// fetched yet.
    ///
    /// # Errors
    /// When the source or its entry point is not there.
    pub async fn look(
        &self,
        definition: &Definition,
        fetch: bool,
    ) -> Result<Option<Implementation>, ActionError> {
        let folder = match &definition.source {
            Source::Git { url, tag } if !fetch => {
                match source::fetched(&self.data, url, tag.as_deref()) {
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
        Ok(Some(Implementation {
            folder: entry.folder,
            file: entry.file,
            language: entry.language,
            interpreter: entry.interpreter,
            imports: Vec::new(),
        }))
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let definition = invocation.definition;
        self.admit(definition.executor).await?;
        let given = invocation.encode()?;
        let found = self.found().await?;
        let preparer = self.preparer(found, definition.timeout);
        let folder = preparer.fetch(&definition.source).await?;
        let entry = entry::find(&folder, definition)?;
        self.runs_nothing_that_actions_write(&entry)?;
        let mut env = variables::scrubbed(
            &self.environment,
            &found.path,
            entry.language,
            &definition.env,
        );
        env.extend(given.env.iter().map(|(n, v)| (n.into(), v.into())));
        let call = Call {
            definition,
            given,
            found,
            preparer,
            entry,
            env,
        };
        let printed = match definition.executor {
            // Never sent here.
            Executor::Wasm => {
                let message = "envyr does not run WebAssembly";
                return Err(ActionError::unavailable(message, None));
            }
            Executor::Native => self.run_native(call).await?,
            Executor::Docker => self.run_docker(call).await?,
        };
        adapters::decode_output(&definition.adapter, printed, STDOUT_CAP).await
    }

    async fn run_native(&self, call: Call<'_>) -> Result<Printed, ActionError> {
        let (definition, given, entry) = (call.definition, call.given, &call.entry);
        call.preparer.prepare(entry).await?;
        let mut args = native_arguments(&self.data, entry);
        args.extend(behind_dashes(&given));
        let timeout = definition.timeout.duration();
        // What is wrong with it is said in any case.
        let writable = self.writable(definition, entry)?;
        let writable = (self.settings.confinement != Confinement::Off).then_some(writable);
        let (finished, temporary) = self
            .start(
                call.found,
                entry,
                args,
                call.env,
                given.stdin,
                timeout,
                Some((writable, definition.process_limits.clone())),
                |_| (),
            )
            .await?;
        let terms = outcome::Terms {
            timeout: definition.timeout,
            limits: Some(&definition.process_limits),
            stdout_cap: STDOUT_CAP,
            language: entry.language,
            ok_exit: &definition.adapter.ok_exit,
            confined: self.settings.confinement != Confinement::Off,
        };
        let printed = outcome::read(finished, &terms)
            .map_err(|error| missing::named(error, entry, &call.found.path))?;
        // Text that happens to look like a reference to a file is text.
        if definition.adapter.output != Output::Json {
            return Ok(printed);
        }
        let stdout = result_file::follow(printed.stdout, temporary).await?;
        Ok(Printed { stdout, ..printed })
    }

    /// All that a confined action may write, beside its `TMPDIR`.
    fn writable(&self, definition: &Definition, entry: &Entry) -> Result<Vec<Opened>, ActionError> {
        let mut writable = match definition.writable.is_empty() {
            true => Vec::new(),
            false => {
                let places = Places::new(&self.repo, &self.environment);
                writable::named(definition, &places)?
            }
        };
        writable.push(writable::notes(entry)?);
        Ok(writable)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what the two executors differ in, each with a name at the call"
    )]
    async fn start(
        &self,
        found: &Found,
        entry: &Entry,
        args: Vec<OsString>,
        mut env: Variables,
        params: String,
        timeout: Duration,
        native: Option<(Option<Vec<Opened>>, ProcessLimits)>,
        on_start: impl FnOnce(i32),
    ) -> Result<(Finished, Temporary), ActionError> {
        let starting =
            |error: io::Error| ActionError::unavailable(format!("starting envyr: {error}"), None);
        let room = process::room(timeout).await.map_err(starting)?;
        let mut temporary = Temporary::new(&self.data)?;
        env.push(("TMPDIR".into(), temporary.path().into()));
        let (isolation, writable, limits) = match native {
            Some((None, limits)) => (Isolation::SameView, None, Some(limits)),
            Some((writable, limits)) => (Isolation::Strongest, writable, Some(limits)),
            None => (Isolation::Client, None, None),
        };
        let command = Command {
            program: found.envyr.clone(),
            args,
            env,
            folder: entry.folder.clone(),
            stdin: params.into_bytes(),
            timeout,
            room: Some(room),
            stdout_cap: STDOUT_CAP,
            stderr_tail: STDERR_TAIL,
            isolation,
            writable,
            temporary: Some(temporary.opened()?),
            limits,
        };
        let mut finished = process::run(command, on_start).await.map_err(starting)?;
        temporary.remove_after(std::mem::take(&mut finished.leftover));
        Ok((finished, temporary))
    }

    /// Refuses an entry point that an action may have written.
    fn runs_nothing_that_actions_write(&self, entry: &Entry) -> Result<(), ActionError> {
        let file = entry.folder.join(&entry.file);
        let real = file.canonicalize().unwrap_or(file);
        judge_program(&self.repo, &real).map_err(|why| {
            let message = format!("the entry point {} {why}", real.display());
            ActionError::unavailable(message, None)
        })
    }

    fn preparer<'a>(&'a self, found: &'a Found, wait: TimeLimit) -> Preparer<'a> {
        Preparer {
            envyr: &found.envyr,
            data: &self.data,
            env: &found.fetch_env,
            repo: &self.repo,
            activity: &self.settings.activity,
            wait,
        }
    }

    /// What fetching and preparing see: the scrubbed environment, and the variables for fetching.
    fn fetch_env(&self, path: &OsStr) -> Variables {
        let usual = FETCH_DEFAULTS.iter().map(|name| (*name).to_owned());
        let names: Vec<String> = usual
            .chain(self.settings.fetch_env.iter().cloned())
            .collect();
        let mut env = variables::scrubbed(&self.environment, path, Language::Other, &names);
        if self.environment.get("GIT_SSH_COMMAND").is_none() {
            env.push(("GIT_SSH_COMMAND".into(), SSH.into()));
        }
        env
    }
}

/// Finds a container engine that answers.
///
/// # Errors
/// When there is none.
pub fn find_engine(environment: &Environment, data: &Path) -> Result<PathBuf, ActionError> {
    let path = variables::path_without_envyr(environment, data);
    docker::Engine::find(environment, &path, data).map(|engine| engine.program().to_owned())
}

/// Waits for what abandoned calls still have to clean up.
pub fn finish(within: Duration) {
    let deadline = Instant::now() + within;
    let left = || deadline.saturating_duration_since(Instant::now());
    process::finish(left());
    docker::finish(left());
    temporary::finish(left());
}

/// For the fuzz targets: what the end of an envyr process means, with the seconds that it computed and the processes that it
/// was refused.
#[cfg(fuzzing)]
pub fn read_for_fuzzing(
    code: i32,
    (cpu, refused): (u64, u64),
    stdout: Vec<u8>,
    stderr: Vec<u8>,
) -> Result<Vec<u8>, ActionError> {
    let usage = process::Usage {
        cpu: Duration::from_secs(cpu),
        refused,
    };
    let finished = Finished {
        ending: process::Ending::Exited(code),
        usage,
        stdout,
        stderr,
        leftover: process::DeferredCleanup::default(),
    };
    let limits = ProcessLimits::default();
    let terms = outcome::Terms {
        timeout: crate::units::TimeLimit::from_secs(60),
        limits: Some(&limits),
        stdout_cap: STDOUT_CAP,
        language: Language::Python,
        ok_exit: &[],
        confined: true,
    };
    outcome::read(finished, &terms).map(|printed| printed.stdout)
}

impl Execute for Envyr {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }

    fn plan<'a>(&'a self, invocation: Invocation<'a>) -> Planning<'a> {
        Box::pin(self.planned(invocation))
    }

    fn fingerprint<'a>(&'a self, definition: &'a Definition, key: [u8; 32]) -> Fingerprint<'a> {
        Box::pin(async move {
            self.admit(definition.executor).await?;
            let folder = self.fetch(&definition.source, definition.timeout).await?;
            let dirs = definition.grants.dirs.iter();
            let dirs: Vec<PathBuf> = dirs.map(|dir| self.repo.join(&dir.path)).collect();
            let mut hash = Sha256::new();
            hash.update(VERSION);
            // An action may use any file of its source, not only those beside its entry point, and any of the folders
            // that it is given.
            let reading = permit::blocking(move || {
                let mut all = vec![docker::contents(&folder)?];
                for dir in &dirs {
                    all.push(contents::of(dir)?);
                }
                Ok(all)
            });
            let folders = reading
                .await
                .unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))?;
            for files in folders {
                hash.update(files.len().to_le_bytes());
                for (name, digest) in files {
                    hash.update(name.len().to_le_bytes());
                    hash.update(name);
                    hash.update(digest);
                }
            }
            for name in &definition.env {
                let mut keyed = Sha256::new();
                keyed.update(key);
                let value = self.environment.get(name);
                keyed.update([u8::from(value.is_some())]);
                keyed.update(value.unwrap_or_default().as_encoded_bytes());
                hash.update(name.len().to_le_bytes());
                hash.update(name);
                hash.update(Sha256::digest(keyed.finalize()));
            }
            Ok(hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect())
        })
    }
}

/// The file of an action that runs without envyr.
fn wasm_file(source: PathBuf, definition: &Definition) -> Result<Implementation, ActionError> {
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
    })
}

/// What envyr hands on to the program as it stands, words that look like its own options included.
fn behind_dashes(given: &ProgramInput) -> Vec<OsString> {
    if given.args.is_empty() {
        return Vec::new();
    }
    ["--"]
        .into_iter()
        .chain(given.args.iter().map(String::as_str))
        .map(OsString::from)
        .collect()
}

/// The order in which envyr takes its arguments: its lists swallow what stands behind them.
fn native_arguments(data: &Path, entry: &Entry) -> Vec<OsString> {
    let fixed = ["run", "--executor", "native", "--autogen"];
    let mut args: Vec<OsString> = vec!["--root".into(), data.join("envyr").into()];
    args.extend(fixed.map(OsString::from));
    for (option, value) in [
        ("-x", entry.file.as_str()),
        ("-i", &entry.interpreter),
        ("-t", entry.language.name()),
    ] {
        args.extend([OsStr::new(option).to_owned(), value.into()]);
    }
    args.push(entry.folder.as_os_str().to_owned());
    args
}
