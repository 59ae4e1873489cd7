//! An actions repo that a runtime has loaded: any number of runs use it, one after the other or
//! side by side.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{LoadError, Runtime};
use crate::activity::SpanKind;
use crate::catalog::{Catalog, DefinitionError, RawDefinition};
use crate::environment::Environment;
use crate::executor::{self, Execute, ExecutorFactory, Executors};
use crate::gate::{Cache, Policy};
use crate::json;
use crate::limits::Limits;
use crate::policy::{Grants, PolicyError, PolicyFile, Rulebook};
use crate::repo::Bundle;
use crate::sandbox::{Ending, InstanceOptions, Output, PreparedRepo};

/// How a repo is loaded.
#[derive(Clone, Default)]
pub struct RepoOptions {
    /// For the code of the repo while it loads.
    pub limits: Limits,
    /// Gets what the repo printed when loading it failed.
    pub output: Output,
    /// The variables and folders of the repo's actions, where they are not those of the runtime:
    /// a host gives each tenant its own data folder so.
    pub environment: Option<Environment>,
    /// Executors of this repo alone, before those of the runtime.
    pub executors: Vec<Arc<dyn ExecutorFactory>>,
}

/// An actions repo that was read and evaluated.
pub struct Repo {
    /// Its Lua files.
    pub bundle: Bundle,
    /// What it defines.
    pub catalog: Arc<Catalog>,
    /// The same for the instances of scripts.
    pub(super) prepared: PreparedRepo,
    /// Runs its actions.
    executors: Arc<Executors>,
    pub(super) cache: Cache,
    environment: Environment,
    /// The folder as the user wrote it, for errors.
    pub(super) shown: String,
    /// What its code defined, as it said so.
    pub(super) definitions: Vec<RawDefinition>,
    /// The rules that its last run had: those of the next are most often the same.
    rules: Mutex<Option<Rules>>,
}

/// Policy files, compiled for the repo's catalog together with its own.
struct Rules {
    files: Vec<Arc<PolicyFile>>,
    opened: Option<Arc<Grants>>,
    read_only: bool,
    guarded: Vec<PathBuf>,
    rulebook: Option<Arc<Rulebook>>,
}

impl Rules {
    fn are_of(&self, policy: &Policy) -> bool {
        self.read_only == policy.read_only
            && self.opened.as_ref().map(Arc::as_ptr) == policy.opened.as_ref().map(Arc::as_ptr)
            && self.guarded == policy.guarded
            && self.files.len() == policy.files.len()
            && self
                .files
                .iter()
                .zip(&policy.files)
                .all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl Repo {
    /// What runs its actions.
    #[must_use]
    pub fn executors(&self) -> &Executors {
        &self.executors
    }

    pub(super) fn executor(&self) -> Arc<dyn Execute> {
        self.executors.clone()
    }

    /// Whether every instance evaluates the repo anew. One that left nothing but actions and plain
    /// data is not: scripts get the image of its tree, which takes a fraction of the time.
    #[must_use]
    pub fn is_evaluated(&self) -> bool {
        self.prepared.is_evaluated()
    }

    /// A policy for the calls of its actions, with the repo's own.
    ///
    /// # Errors
    /// What is wrong with the policy.
    pub fn policy(&self, policy: &Policy) -> Result<Policy, PolicyError> {
        let own = self.bundle.policy.as_ref();
        let own = own.map(|(name, text)| (name.as_str(), text.as_str()));
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = rules.as_ref().filter(|rules| rules.are_of(policy)) {
            return Ok(Policy {
                rulebook: rules.rulebook.clone(),
                ..policy.clone()
            });
        }
        let compiled = policy.compiled(own, &self.catalog)?;
        if !policy.guarded.is_empty() {
            let root = &self.bundle.root;
            let holding =
                executor::holding(&policy.guarded, &self.catalog, root, &self.environment);
            if !holding.is_empty() {
                let problems = holding.iter().map(ToString::to_string).collect();
                let texts = Vec::new();
                return Err(PolicyError { problems, texts });
            }
        }
        *rules = Some(Rules {
            files: policy.files.clone(),
            opened: policy.opened.clone(),
            read_only: policy.read_only,
            guarded: policy.guarded.clone(),
            rulebook: compiled.rulebook.clone(),
        });
        Ok(compiled)
    }

    /// What is wrong on this machine with what its definitions give to actions for writing.
    #[must_use]
    pub fn wrong_grants(&self) -> Vec<DefinitionError> {
        let hidden = || self.executors.sources().secret_files();
        let root = &self.bundle.root;
        executor::grant_problems(&self.catalog, root, &self.environment, hidden)
    }
}

impl Runtime {
    /// Reads a repo and evaluates it in an instance of its own, before any script is seen.
    ///
    /// # Errors
    /// When the repo is wrong: its files, its code, its definitions or its policy; when it grants
    /// what this machine does not allow; or when this machine lacks confinement that it requires.
    pub async fn repo(&self, folder: &Path, options: RepoOptions) -> Result<Arc<Repo>, LoadError> {
        self.require_confinement().await?;
        let repo = self.load(folder, options).await?;
        repo.policy(&Policy::default())?;
        let errors = repo.wrong_grants();
        if errors.is_empty() {
            Ok(Arc::new(repo))
        } else {
            Err(LoadError::Definitions(errors))
        }
    }

    /// Loads a repo whose definitions are all right, without a look at the machine.
    ///
    /// # Errors
    /// When the repo is wrong: its files, its code or its definitions.
    pub async fn load(&self, folder: &Path, options: RepoOptions) -> Result<Repo, LoadError> {
        let (repo, errors) = self.load_lenient(folder, options).await?;
        if errors.is_empty() {
            Ok(repo)
        } else {
            Err(LoadError::Definitions(errors))
        }
    }

    /// Loads what is right of a repo, and names all that is wrong with its definitions.
    ///
    /// # Errors
    /// When it cannot be read or evaluated.
    pub async fn load_lenient(
        &self,
        folder: &Path,
        options: RepoOptions,
    ) -> Result<(Repo, Vec<DefinitionError>), LoadError> {
        let _loading = self
            .activity()
            .begin(SpanKind::Repo, "loading the actions repo");
        let bundle = Bundle::read(folder)?;
        // The script's instance evaluates a repo that prints again: its output must be seen once.
        let printed = Output::in_memory();
        let wall = options.limits.wall.duration();
        let instance = InstanceOptions::internal(options.limits.clone(), printed.clone());
        let report = self.inner.sandbox.load_repo(&bundle, instance).await;
        if !matches!(report.ending, Ending::Done(_)) {
            // A reader that does not read holds the end up no longer than a run.
            let forwarding = options.output.forward(&printed);
            _ = tokio::time::timeout(wall, forwarding).await;
        }
        let loaded = match report.ending {
            Ending::Done(loaded) => loaded,
            Ending::Failed(error) => return Err(LoadError::Load(error)),
            Ending::Limit(hit, frames) => {
                return Err(LoadError::Limit {
                    repo: folder.display().to_string(),
                    hit,
                    frames,
                });
            }
            Ending::Exited(_) => return Err(LoadError::Fault("a repo ended a run".to_owned())),
            Ending::Cancelled(_) => {
                return Err(LoadError::Fault("loading a repo was cancelled".to_owned()));
            }
            // What a repo prints while it loads is kept in memory.
            Ending::OutputClosed | Ending::OutputFailed(_) => return Err(LoadError::OutputClosed),
            Ending::Busy(busy) => return Err(busy.into()),
            Ending::Suspended(why, _) => return Err(LoadError::Fault(why.to_string())),
            Ending::Fault(fault) => return Err(LoadError::Fault(fault)),
        };
        let size: usize = loaded.definitions.iter().map(|raw| raw.body.len()).sum();
        let definitions = loaded.definitions;
        // Schemas and patterns take longer to compile than their text is to read.
        let collecting = json::aside(4 * size, move || {
            (Catalog::collect(&definitions), definitions)
        });
        let interrupted = || LoadError::Fault("the host was interrupted".to_owned());
        let ((catalog, errors), definitions) = collecting.await.ok_or_else(interrupted)?;
        let repo = self.assemble(
            bundle,
            catalog,
            definitions,
            loaded.prepared,
            options,
            folder,
        );
        Ok((repo, errors))
    }

    /// Puts the parts of a repo together.
    pub(super) fn assemble(
        &self,
        bundle: Bundle,
        catalog: Catalog,
        definitions: Vec<RawDefinition>,
        prepared: PreparedRepo,
        options: RepoOptions,
        shown: &Path,
    ) -> Repo {
        let environment = options.environment;
        let environment = environment.unwrap_or_else(|| self.inner.environment.clone());
        let factories = [options.executors, self.inner.executors.clone()].concat();
        let executors = Executors::new(
            self.inner.programs.clone(),
            environment.clone(),
            bundle.root.clone(),
            &factories,
        );
        Repo {
            cache: Cache::new(&environment.data_folder(), &bundle.root),
            bundle,
            catalog: Arc::new(catalog.with_library(self.inner.no_repo.library().cloned())),
            prepared,
            definitions,
            executors: Arc::new(executors),
            environment,
            shown: shown.display().to_string(),
            rules: Mutex::new(None),
        }
    }
}
