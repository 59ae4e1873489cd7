//! Runs implementations through envyr, and works around what it does not do itself.

mod crossed;
mod docker;
mod entry;
mod outcome;
mod source;
mod tool;
mod variables;
mod writable;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

pub(super) use entry::{brief, inside};
pub use tool::{REMEDY, VERSION, find, tools_folder};
pub use variables::FETCH_DEFAULTS;

use super::process::{self, Command, Ending, Finished, Isolation, Opened};
use super::result_file;
use super::temporary::{self, Temporary};
use super::{Execute, Execution, Invocation, STDERR_TAIL, STDOUT_CAP};
use crate::catalog::{Executor, Language, Source};
use crate::environment::Environment;
use crate::failure::{ActionError, ErrorKind};
use crate::limits::ProcessLimits;
use entry::Entry;
use source::Preparer;
use variables::Variables;
use writable::Places;

/// What the user settled about envyr.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The program to use instead of Kael's own or the one on `PATH`.
    pub envyr: Option<PathBuf>,
    /// Variables that fetching a source may see, beside the usual ones.
    pub fetch_env: Vec<String>,
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
}

#[derive(Clone)]
struct Found {
    envyr: PathBuf,
    path: OsString,
    fetch_env: Variables,
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
        }
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
    pub(super) async fn fetch(&self, source: &Source) -> Result<PathBuf, ActionError> {
        match source {
            Source::Folder(path) => source::folder(&self.repo, path),
            Source::Git { .. } => self.preparer(self.found().await?).fetch(source).await,
        }
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let found = self.found().await?;
        let preparer = self.preparer(found);
        let definition = invocation.definition;
        let folder = preparer.fetch(&definition.source).await?;
        let entry = entry::find(&folder, definition)?;
        let env = variables::scrubbed(
            &self.environment,
            &found.path,
            entry.language,
            &definition.env,
        );
        match definition.executor {
            // Never sent here.
            Executor::Wasm => Err(ActionError::unavailable(
                "envyr does not run WebAssembly",
                None,
            )),
            Executor::Native => {
                self.run_native(invocation, found, &preparer, &entry, env)
                    .await
            }
            Executor::Docker => {
                self.run_docker(invocation, found, &preparer, &entry, env)
                    .await
            }
        }
    }

    async fn run_native(
        &self,
        invocation: Invocation<'_>,
        found: &Found,
        preparer: &Preparer<'_>,
        entry: &Entry,
        env: Variables,
    ) -> Result<Vec<u8>, ActionError> {
        preparer.prepare(entry).await?;
        let definition = invocation.definition;
        let args = native_arguments(&self.data, entry);
        let timeout = definition.timeout.duration();
        let places = Places {
            repo: &self.repo,
            data: &self.data,
            home: self.environment.path("HOME"),
        };
        let mut writable = writable::named(definition, &places)?;
        writable.push(writable::notes(entry)?);
        let (finished, temporary) = self
            .start(
                found,
                entry,
                args,
                env,
                invocation.params,
                timeout,
                Some((writable, definition.process_limits.clone())),
                |_| (),
            )
            .await?;
        let stdout = outcome::read(
            finished,
            definition.timeout,
            Some(&definition.process_limits),
            STDOUT_CAP,
        )?;
        result_file::follow(stdout, temporary).await
    }

    async fn run_docker(
        &self,
        invocation: Invocation<'_>,
        found: &Found,
        preparer: &Preparer<'_>,
        entry: &Entry,
        env: Variables,
    ) -> Result<Vec<u8>, ActionError> {
        let engine = self.engine.get_or_try_init(async || {
            let (environment, path, data) = (
                self.environment.clone(),
                found.path.clone(),
                self.data.clone(),
            );
            let looking = tokio::task::spawn_blocking(move || {
                docker::Engine::find(&environment, &path, &data)
            });
            looking
                .await
                .unwrap_or_else(|problem| Err(ActionError::unavailable(problem.to_string(), None)))
        });
        let engine = engine.await?;
        let definition = invocation.definition;
        let looked_at = entry.clone();
        let tag = tokio::task::spawn_blocking(move || docker::image_tag(&looked_at)).await;
        let tag =
            tag.unwrap_or_else(|problem| Err(ActionError::unavailable(problem.to_string(), None)))?;
        let image = docker::image_name(entry, &tag);
        let args = docker::arguments(&self.data, entry, definition, &self.environment, &tag)?;
        // The Dockerfile has one place in the source, so one image is built from it at a time.
        let mut built = preparer.image(entry, &tag).await?;
        let timeout = definition.timeout.duration() + docker::BUILD_TIME;
        let container = docker::Container::new(engine.clone(), image.clone());
        let env = engine.environment(env);
        let on_start = |pid| container.started(pid);
        let running = self.start(
            found,
            entry,
            args,
            env,
            invocation.params,
            timeout,
            None,
            on_start,
        );
        tokio::pin!(running);
        let (finished, _) = loop {
            tokio::select! {
                finished = &mut running => break finished?,
                // The build is over before the run is; those who wait for the first need not wait for the second.
                there = appears(engine, &image), if built.missing() => if there { built.note() },
            }
        };
        let ended = matches!(finished.ending, Ending::Exited(_));
        if ended {
            container.ended();
        }
        let outcome = outcome::read(finished, definition.timeout, None, STDOUT_CAP);
        if ended
            && outcome
                .as_ref()
                .err()
                .is_none_or(|error| error.kind != ErrorKind::Unavailable)
        {
            built.note();
        }
        outcome.and_then(result_file::refuse)
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
        confined: Option<(Vec<Opened>, ProcessLimits)>,
        on_start: impl FnOnce(i32),
    ) -> Result<(Finished, Temporary), ActionError> {
        let temporary = Temporary::new()?;
        env.push(("TMPDIR".into(), temporary.path().into()));
        let (isolation, writable, limits) = match confined {
            Some((writable, limits)) => (Isolation::Strongest, Some(writable), Some(limits)),
            None => (Isolation::Client, None, None),
        };
        let command = Command {
            program: found.envyr.clone(),
            args,
            env,
            folder: entry.folder.clone(),
            stdin: params.into_bytes(),
            timeout,
            stdout_cap: STDOUT_CAP,
            stderr_tail: STDERR_TAIL,
            isolation,
            writable,
            limits,
        };
        let finished = process::run(command, on_start).await.map_err(|problem| {
            ActionError::unavailable(format!("starting envyr: {problem}"), None)
        })?;
        Ok((finished, temporary))
    }

    fn preparer<'a>(&'a self, found: &'a Found) -> Preparer<'a> {
        Preparer {
            envyr: &found.envyr,
            data: &self.data,
            env: &found.fetch_env,
            repo: &self.repo,
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
            // A question about a host key would wait for an answer for ever.
            env.push(("GIT_SSH_COMMAND".into(), "ssh -oBatchMode=yes".into()));
        }
        env
    }
}

/// Looks for an image in a while.
async fn appears(engine: &docker::Engine, image: &str) -> bool {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (engine, image) = (engine.clone(), image.to_owned());
    tokio::task::spawn_blocking(move || engine.has(&image))
        .await
        .unwrap_or(false)
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

impl Execute for Envyr {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }
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
