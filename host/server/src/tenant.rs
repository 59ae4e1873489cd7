//! A tenant that is ready for its runs: its actions repo, its policy and what it may use.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use kael_authoring::lint::Checker;
use kael_engine::environment::Environment;
use kael_engine::executor::Execute;
use kael_engine::gate::Policy;
use kael_engine::limits::Limits;
use kael_engine::policy::grants::FileGrants;
use kael_engine::policy::{Grants, PolicyFile};
use kael_engine::run_info::Tenant as EngineTenant;
use kael_engine::runtime::{Repo, RepoOptions, Runtime};
use kael_secrets::{Secrets, Store as SecretStore};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::checkout::{self, Brought, Status};
use crate::keep::Keep;
use crate::opened;
use crate::tables::tenants::TenantRow;
use crate::tenant_environment::environment;
use crate::tenant_settings::{RunLimits, TenantSettings, ceiling};
use crate::walls::Walls;

/// The folder of the tenants' folders, in a server's data folder.
pub(crate) const TENANTS: &str = "tenants";

/// Bodies of a tenant's webhooks that are read at the same time.
const MAX_READ: usize = 32;

/// A tenant, ready for its runs.
pub(crate) struct Tenant {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) settings: TenantSettings,
    pub(crate) created: i64,
    /// How long its runs are kept.
    pub(crate) keep: Keep,
    disabled: bool,
    limits: Limits,
    policies: Vec<Arc<PolicyFile>>,
    /// What the operator's settings open to the standard library; none where a policy file says that.
    opened: Option<Arc<Grants>>,
    /// What no action is given for writing: the server's own folder, and the policies.
    guarded: Vec<PathBuf>,
    environment: Environment,
    /// Runs the standard library where it has no repo.
    without_repo: OnceLock<Arc<dyn Execute>>,
    secrets: Arc<Secrets>,
    /// What is between it and the other tenants.
    walls: Arc<Walls>,
    /// The repo as it was last loaded, or why it was not.
    repo: Mutex<Option<Loaded>>,
    /// Which commit of the repo is used.
    status: Mutex<Status>,
    /// Whether somebody has asked for a refresh that has not begun.
    asked: AtomicBool,
    /// One loading at a time.
    pub(crate) loading: AsyncMutex<()>,
    checker: AsyncMutex<Option<Arc<Checker>>>,
    /// Places for bodies of its webhooks, whose senders are not known yet.
    pub(crate) reading: Semaphore,
}

type Loaded = Result<Option<Arc<Repo>>, String>;

impl Tenant {
    /// Takes a tenant's row. Its repo is loaded when it is first needed.
    ///
    /// # Errors
    /// What is wrong with its settings: limits, policies.
    pub(crate) fn new(
        row: &TenantRow,
        server: &Environment,
        data: &std::path::Path,
    ) -> Result<Self, String> {
        let settings: TenantSettings =
            serde_json::from_str(&row.settings).map_err(|error| error.to_string())?;
        let most = Limits::default();
        let limits = match settings.limits == RunLimits::default() {
            true => most,
            false => {
                // What is not given stays the default, and what is given may be more.
                let wide = settings.limits.within(&ceiling())?;
                let given = &settings.limits;
                Limits {
                    memory: pick(given.memory.is_some(), wide.memory, most.memory),
                    cpu: pick(given.cpu.is_some(), wide.cpu, most.cpu),
                    wall: pick(given.timeout.is_some(), wide.wall, most.wall),
                    output: pick(given.output.is_some(), wide.output, most.output),
                    calls: pick(given.calls.is_some(), wide.calls, most.calls),
                    parallel: pick(given.parallel.is_some(), wide.parallel, most.parallel),
                }
            }
        };
        let policies = settings.policy.iter().map(|path| {
            let file = PolicyFile::open(path);
            file.map(Arc::new).map_err(|error| error.to_string())
        });
        let policies = policies.collect::<Result<Vec<_>, String>>()?;
        let opened = opened::of(settings.grants.as_ref(), &row.name, &policies)?;
        if let Some(git) = &settings.git {
            git.check()?;
            if settings.actions.is_some() {
                return Err("`git` stands beside `actions`: give one of them".to_owned());
            }
        }
        EngineTenant::new(&row.name).map_err(|error| error.to_string())?;
        let environment = environment(&settings, server, &data.join(TENANTS).join(&row.name));
        Ok(Self {
            id: row.id,
            name: row.name.clone(),
            guarded: settings
                .policy
                .iter()
                .cloned()
                .chain([data.to_owned()])
                .collect(),
            keep: settings.keep()?,
            secrets: Arc::new(Secrets::of_tenant(
                environment.clone(),
                settings.secrets.clone(),
            )),
            environment,
            settings,
            created: row.created,
            disabled: row.disabled,
            limits,
            policies,
            opened,
            without_repo: OnceLock::new(),
            walls: Arc::default(),
            repo: Mutex::default(),
            status: Mutex::default(),
            asked: AtomicBool::new(false),
            loading: AsyncMutex::default(),
            checker: AsyncMutex::default(),
            reading: Semaphore::new(MAX_READ),
        })
    }

    /// The same on a server with other tenants.
    pub(crate) fn behind(self, walls: Arc<Walls>) -> Self {
        Self { walls, ..self }
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// The tenant for the engine's records and policies.
    pub(crate) fn engine_name(&self) -> EngineTenant {
        EngineTenant::new(&self.name).unwrap_or_default()
    }

    /// The most that one run may use.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limits of a run that asked for these when it was submitted.
    pub(crate) fn limits_of(&self, asked: &str) -> Limits {
        let asked: RunLimits = serde_json::from_str(asked).unwrap_or_default();
        // The tenant's own may have become smaller since.
        asked
            .within(&self.limits)
            .unwrap_or_else(|_| self.limits.clone())
    }

    /// What its runs may call.
    pub(crate) fn policy(&self, read_only: bool) -> Policy {
        Policy {
            files: self.policies.clone(),
            opened: self.opened.clone(),
            read_only,
            guarded: self.guarded.clone(),
            ..Policy::default()
        }
    }

    /// All that the operator opens to the standard library.
    pub(crate) fn granted(&self) -> impl Iterator<Item = &FileGrants> {
        let own = self.opened.iter().flat_map(|opened| opened.files());
        let of_files = self.policies.iter().filter_map(|file| file.grants());
        own.chain(of_files).map(|grants| &**grants)
    }

    /// What runs the standard library for its runs without a repo: its connections are its own.
    pub(crate) fn without_repo(&self, engine: &Runtime) -> Arc<dyn Execute> {
        let make = || engine.without_repo(self.environment.clone());
        self.without_repo.get_or_init(make).clone()
    }

    /// The actions repo; none if it has no folder.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) async fn repo(&self, engine: &Runtime) -> Loaded {
        let loaded = match self.loaded() {
            Some(loaded) => loaded,
            None => self.load(engine, false).await,
        };
        // Tenants may have come since it was loaded.
        if let Ok(Some(repo)) = &loaded {
            self.walls.refuse(repo)?;
        }
        loaded
    }

    /// Whether its actions would be refused if the server had one more tenant.
    ///
    /// # Errors
    /// Which of them, and why.
    pub(crate) fn may_have_neighbours(&self) -> Result<(), String> {
        match self.loaded() {
            Some(Ok(Some(repo))) => self.walls.refuse_beside_others(&repo),
            _ => Ok(()),
        }
    }

    /// Where the secrets of its actions come from.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        self.secrets.clone()
    }

    /// The secrets that it keeps itself.
    pub(crate) fn secret_store(&self) -> SecretStore {
        SecretStore::of(&self.environment)
    }

    /// What the actions of the tenant are given.
    pub(crate) fn repo_options(&self) -> RepoOptions {
        RepoOptions {
            environment: Some(self.environment.clone()),
            ..RepoOptions::default()
        }
    }

    fn loaded(&self) -> Option<Loaded> {
        self.repo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Loads the repo anew. Runs that run go on with the one that they began with. A repo that cannot be
    /// loaded replaces none that can.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) async fn load(&self, engine: &Runtime, again: bool) -> Loaded {
        let _one = self.loading.lock().await;
        if let Some(loaded) = self.loaded().filter(|_| !again) {
            return loaded;
        }
        self.asked.store(false, Ordering::SeqCst);
        let brought = match &self.settings.git {
            None => Ok(None),
            Some(git) => {
                self.tries();
                let brought = checkout::bring(engine, &self.environment, git, again).await;
                brought.map(Some)
            }
        };
        let folder = brought.as_ref().map(|brought| match brought {
            Some(brought) => Some(brought.folder.clone()),
            None => self.settings.actions.clone(),
        });
        let loaded = match folder {
            Err(why) => Err(why.clone()),
            Ok(None) => Ok(None),
            Ok(Some(folder)) => {
                let repo = engine.repo(&folder, self.repo_options()).await;
                let repo = repo.map_err(|error| error.to_string());
                repo.and_then(|repo| {
                    // A policy that does not fit the repo would refuse every call of every run.
                    let fits = repo.policy(&self.policy(false));
                    fits.map_err(|error| error.to_string())?;
                    self.walls.refuse(&repo)?;
                    Ok(Some(repo))
                })
            }
        };
        self.uses(brought.ok().flatten(), loaded.as_ref().err());
        self.keep(&loaded);
        *self.checker.lock().await = None;
        loaded
    }

    /// Notes which commit is used from now on, or why it stays what it was.
    fn uses(&self, brought: Option<Brought>, error: Option<&String>) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match (brought, error, &self.settings.git) {
            (_, Some(error), Some(_)) => status.error = Some(error.clone()),
            (Some(brought), None, Some(git)) => {
                let noted = checkout::note(&self.environment, git, &brought.commit);
                if let Err(error) = noted {
                    let name = &self.name;
                    tracing::warn!("the commit of `{name}` is not noted: {error}");
                }
                status.uses(brought);
            }
            _ => {}
        }
    }

    /// What is known of its repo.
    pub(crate) fn status(&self) -> Status {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }

    /// Notes that its repo is looked at.
    pub(crate) fn tries(&self) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.tries();
    }

    /// Asks for a refresh. False if one that somebody has asked for has not begun yet.
    pub(crate) fn awaits_refresh(&self) -> bool {
        !self.asked.swap(true, Ordering::SeqCst)
    }

    /// The variables and folders of its actions.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    fn keep(&self, loaded: &Loaded) {
        let mut kept = self.repo.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_ok() || !matches!(*kept, Some(Ok(_))) {
            *kept = Some(loaded.clone());
        }
    }

    /// What finds mistakes in scripts of this tenant.
    ///
    /// # Errors
    /// Why the repo cannot be used.
    pub(crate) async fn checker(&self, engine: &Runtime) -> Result<Arc<Checker>, String> {
        let mut kept = self.checker.lock().await;
        if let Some(checker) = &*kept {
            return Ok(checker.clone());
        }
        let own = self
            .status()
            .folder
            .or_else(|| self.settings.actions.clone());
        let checker = Checker::new(engine, own.as_deref(), &self.limits).await;
        let checker = Arc::new(checker.map_err(|error| error.to_string())?);
        *kept = Some(checker.clone());
        Ok(checker)
    }
}

fn pick<T>(given: bool, wide: T, own: T) -> T {
    if given { wide } else { own }
}
