//! How an implementation runs.

pub mod adapters;
pub mod ask;
mod beside;
mod call_identity;
pub mod envyr;
pub mod failure_message;
pub mod granted;
pub mod lock;
mod masking;
mod not_json;
mod on_path;
mod prewarm;
pub mod process;
pub mod programs;
mod removal;
pub mod result_file;
pub mod source;
mod starting;
pub mod temporary;
pub mod unblocked;

pub(crate) use adapters::EMPTY as PRINTED_NOTHING;
pub use beside::{Beside, BesideStarted};
pub use call_identity::{CALL_VARIABLES, CallIdentity};
pub(crate) use granted::{holding, problems as grant_problems};
pub(crate) use not_json::not_json;
pub use process::{Capabilities, Containment, Counting};

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::activity::Lines;
use crate::catalog::{Definition, Executor, Language};
use crate::environment::Environment;
use crate::failure::ActionError;
use crate::policy::Grants;
use crate::secrets::RunSecrets;
use adapters::ProgramInput;
use masking::Masks;
use programs::Programs;
use source::{Implementation, Sources};

/// Bytes of stdout that a result may have.
pub const STDOUT_CAP: usize = 64 << 20;
/// Bytes of stderr that are kept: the last ones.
pub const STDERR_TAIL: usize = 64 << 10;

/// What an implementation printed, whose end was no failure.
#[derive(Debug)]
pub struct Printed {
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// The end of it.
    pub stderr: String,
    /// 0, or a status that its definition takes for an answer.
    pub exit_code: i32,
}

/// What native actions run under on this machine.
pub async fn machine() -> Capabilities {
    Capabilities::ask().await
}

/// What this machine lacks of the confinement of native actions, part by part.
pub async fn missing_confinement() -> Vec<String> {
    machine().await.missing()
}

/// How a refusal for want of a required confinement begins; the missing parts follow.
pub(crate) const REQUIRED: &str = "the confinement of actions is required, and this machine lacks ";

/// Refuses a call where a part of the confinement that it requires is missing.
fn required(missing: Vec<String>) -> Result<(), ActionError> {
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("{REQUIRED}{}", missing.join(", "));
    let hint = "kael-host doctor says what would help".to_owned();
    Err(ActionError::unavailable(message, Some(hint)))
}

/// One call of an implementation.
pub struct Invocation<'a> {
    /// What the team defined.
    pub definition: &'a Definition,
    /// The merged parameters as JSON text.
    pub params: String,
    /// Variables of its process alone: the secrets that its definition binds.
    pub variables: Vec<(String, String)>,
    /// Which call it is.
    pub call: CallIdentity<'a>,
    /// What the policy of the run opens to actions of the host.
    pub grants: &'a Grants,
    /// The secrets of the run. An action of the host takes those that grants name from here.
    pub secrets: &'a RunSecrets,
}

impl Invocation<'_> {
    /// What the program is given: the parameters in its own form, and the variables that say which call it is.
    ///
    /// # Errors
    /// When the parameters have no such form.
    pub fn encode(self) -> Result<ProgramInput, ActionError> {
        let mut given = adapters::encode_input(self.definition, self.params)?;
        given
            .env
            .retain(|(name, _)| !CALL_VARIABLES.contains(&name.as_str()));
        // No parameter takes the place of a secret.
        let bound = &self.definition.secrets;
        given.env.retain(|(name, _)| !bound.contains_key(name));
        given.env.extend(self.variables);
        given.env.extend(self.call.variables());
        if let Some(traced) = self.call.trace_variable() {
            given.env.retain(|(name, _)| *name != traced.0);
            given.env.push(traced);
        }
        Ok(given)
    }
}

/// A future of what an implementation printed.
pub type Execution<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, ActionError>> + Send + 'a>>;

/// A future of the digest of a source; none where there is no source of files.
pub type SourceDigest<'a> =
    Pin<Box<dyn Future<Output = Result<Option<String>, ActionError>> + Send + 'a>>;

/// A future of what a result depends on.
pub type Fingerprint<'a> = Pin<Box<dyn Future<Output = Result<String, ActionError>> + Send + 'a>>;

/// What would be run.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The command line, as far as it is known.
    pub command: Vec<String>,
    /// Why it is not known further.
    pub note: Option<String>,
    /// The names of all variables that the implementation would see.
    pub env: Vec<String>,
}

/// A future of what would be run.
pub type Planning<'a> = Pin<Box<dyn Future<Output = Result<Plan, ActionError>> + Send + 'a>>;

/// A future of what an implementation imports.
pub type Imports<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, ActionError>> + Send + 'a>>;

/// Something that runs implementations.
pub trait Execute: Send + Sync {
    /// Runs one to its end and returns its stdout. Dropping the future ends what was started.
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a>;

    /// Whether the policy of a run opens an action of the host to a call with these parameters. Only
    /// such actions are asked; the gate asks before any rule, person or budget. The result is the names of the secrets
    /// that the grants put into the call.
    ///
    /// # Errors
    /// The refusal, with the grant that would allow the call.
    fn granted(
        &self,
        _definition: &Definition,
        _params: &str,
        _grants: &Grants,
    ) -> Result<Vec<String>, ActionError> {
        Ok(Vec::new())
    }

    /// A failure without the values of variables that its action sees. Unless an executor says
    /// more, there are none.
    fn masked(&self, _definition: &Definition, error: ActionError) -> ActionError {
        error
    }

    /// What runs an action, as reports spell it; for native actions only once one has run.
    fn runner(&self, _definition: &Definition) -> Option<&'static str> {
        None
    }

    /// What a call would run. Nothing is run, and nothing fetched. Unless an executor says more, nothing is known.
    fn plan<'a>(&'a self, _invocation: Invocation<'a>) -> Planning<'a> {
        Box::pin(std::future::ready(Ok(Plan::default())))
    }

    /// What a result depends on beside the definition and the parameters: the version of the source, and the variables
    /// that `env` names, hashed with `key`. Changes when any of it does. An error means that results cannot be kept.
    fn fingerprint<'a>(&'a self, _definition: &'a Definition, _key: [u8; 32]) -> Fingerprint<'a> {
        let error = ActionError::unavailable("its source has no version", None);
        Box::pin(std::future::ready(Err(error)))
    }

    /// The digest of all files of an action's source: an approval is for these. An executor without files has none.
    fn source_digest<'a>(&'a self, _definition: &'a Definition) -> SourceDigest<'a> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// What an implementation imports, when it can be run with what its definition gives it. For
    /// executors whose implementations name what they import.
    fn imports<'a>(&'a self, _definition: &'a Definition) -> Imports<'a> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// What an executor is given of the actions repo whose actions it runs.
#[derive(Clone)]
pub struct RepoContext {
    /// The folder of the repo.
    pub root: PathBuf,
    /// What Kael was started with.
    pub environment: Environment,
    /// Brings sources to this machine.
    pub sources: Arc<Sources>,
    /// The program that compiles what needs it, if the host has one.
    pub compiler: Option<PathBuf>,
    /// What the user settled about programs.
    pub programs: programs::Settings,
}

/// Makes an executor for the actions of one repo. This is how a program gives Kael executors that
/// are not in this crate, such as `kael-wasm`.
pub trait ExecutorFactory: Send + Sync {
    /// The value of `executor` in a definition that it runs. With the name of one of the engine's own executors, it takes
    /// the place of that.
    fn executor(&self) -> Executor;

    /// An executor for a repo. It does nothing before its first call.
    fn for_repo(&self, repo: RepoContext) -> Arc<dyn Execute>;
}

/// Every executor of one actions repo; the definition says which is used.
pub struct Executors {
    context: RepoContext,
    programs: Programs,
    sources: Arc<Sources>,
    added: Vec<(Executor, Arc<dyn Execute>)>,
    environment: Environment,
}

impl Executors {
    /// Executors for the repo in the folder `repo`: those of this crate, and one of each factory.
    /// None of them does anything before its first call.
    #[must_use]
    pub fn new(
        settings: programs::Settings,
        environment: Environment,
        repo: PathBuf,
        factories: &[Arc<dyn ExecutorFactory>],
    ) -> Self {
        let compiler = settings.compiler.clone();
        let sources = Sources::new(settings.sources(), environment.clone(), repo.clone());
        let sources = Arc::new(sources);
        let context = RepoContext {
            root: repo.clone(),
            environment: environment.clone(),
            sources: sources.clone(),
            compiler,
            programs: settings.clone(),
        };
        let programs = Programs::new(settings, environment.clone(), repo, sources.clone());
        let added = factories
            .iter()
            .map(|factory| (factory.executor(), factory.for_repo(context.clone())))
            .collect();
        Self {
            context,
            programs,
            sources,
            added,
            environment,
        }
    }

    /// What executors are given of the repo.
    #[must_use]
    pub fn context(&self) -> &RepoContext {
        &self.context
    }

    /// Where the implementations come from.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The executor that a factory made.
    fn find(&self, executor: Executor) -> Option<&dyn Execute> {
        let found = self.added.iter().find(|(name, _)| *name == executor);
        found.map(|(_, executor)| &**executor)
    }

    /// Looks at an implementation without running it; a repository is fetched if that is wanted. None: it was not
    /// fetched yet. A file of WebAssembly is compiled, and what it imports held against what its definition gives.
    ///
    /// # Errors
    /// When the source or its entry point is not there, or it cannot be run with what the definition says.
    pub async fn look(
        &self,
        definition: &Definition,
        fetch: bool,
    ) -> Result<Option<Implementation>, ActionError> {
        if let Some(tool) = &definition.mcp {
            return Ok(Some(Implementation {
                folder: self.context.root.clone(),
                file: tool.tool.clone(),
                language: Language::Other,
                interpreter: tool.server.shown(),
                imports: Vec::new(),
                packages: Vec::new(),
                runner: Some("mcp"),
            }));
        }
        let mut found = self.sources.look(definition, fetch).await?;
        if let Some(found) = &mut found {
            found.runner = self.programs.chosen(definition).await;
        }
        match (found, definition.executor) {
            (Some(found), Executor::Wasm) => Ok(Some(Implementation {
                imports: self
                    .find(Executor::Wasm)
                    .ok_or_else(|| missing(Executor::Wasm))?
                    .imports(definition)
                    .await?,
                ..found
            })),
            (found, _) => Ok(found),
        }
    }
}

/// The error of a definition whose executor this program does not have.
fn missing(executor: Executor) -> ActionError {
    let message = format!("this program has no executor `{}`", executor.name());
    ActionError::unavailable(message, None)
}

impl Execute for Executors {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        let definition = invocation.definition;
        let execution = match (self.find(definition.executor), definition.executor) {
            (Some(added), _) => added.execute(invocation),
            (None, Executor::Native | Executor::Docker) => self.programs.execute(invocation),
            (None, unknown) => Box::pin(std::future::ready(Err(missing(unknown)))),
        };
        if definition.env.is_empty() {
            return execution;
        }
        Box::pin(async move {
            let masks = Masks::of(definition, &self.environment);
            let hidden = masks.clone();
            Lines::current().without(move |text| hidden.hide(text));
            execution.await.map_err(|error| masks.hidden(error))
        })
    }

    fn masked(&self, definition: &Definition, error: ActionError) -> ActionError {
        match definition.env.is_empty() {
            true => error,
            false => Masks::of(definition, &self.environment).hidden(error),
        }
    }

    fn runner(&self, definition: &Definition) -> Option<&'static str> {
        match definition.mcp {
            Some(_) => Some("mcp"),
            None => Execute::runner(&self.programs, definition),
        }
    }

    fn plan<'a>(&'a self, invocation: Invocation<'a>) -> Planning<'a> {
        match self.find(invocation.definition.executor) {
            Some(added)
                if matches!(
                    invocation.definition.executor,
                    Executor::Builtin | Executor::Mcp
                ) =>
            {
                added.plan(invocation)
            }
            _ => self.programs.plan(invocation),
        }
    }

    fn granted(
        &self,
        definition: &Definition,
        params: &str,
        grants: &Grants,
    ) -> Result<Vec<String>, ActionError> {
        match self.find(definition.executor) {
            Some(added) => added.granted(definition, params, grants),
            None => Err(missing(definition.executor)),
        }
    }

    fn fingerprint<'a>(&'a self, definition: &'a Definition, key: [u8; 32]) -> Fingerprint<'a> {
        if definition.mcp.is_some() {
            let error = ActionError::unavailable("what a server answers has no version", None);
            return Box::pin(std::future::ready(Err(error)));
        }
        self.programs.fingerprint(definition, key)
    }

    fn source_digest<'a>(&'a self, definition: &'a Definition) -> SourceDigest<'a> {
        match definition.executor {
            Executor::Native | Executor::Docker | Executor::Wasm => {
                self.programs.source_digest(definition)
            }
            Executor::Builtin | Executor::Mcp => Box::pin(std::future::ready(Ok(None))),
        }
    }
}
