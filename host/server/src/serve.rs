//! Starts the server, and ends it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::environment::Environment;
use kael_engine::executor::programs;
use kael_engine::runtime::{LoadError, Runtime};
use kael_engine::sandbox::EngineError;
use kael_net::Trust;
use kael_runs::StoredCounts;
use kael_store::{Mode, Store, StoreError};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::api::{self, session};
use crate::app::{App, Tenants};
use crate::auth::Authority;
use crate::certificate;
use crate::compiled::Compiled;
use crate::config::ServeConfig;
use crate::deliveries::sender;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::oidc::Oidc;
use crate::otlp::{Collector, Exporter};
use crate::places::Places;
use crate::private_files;
use crate::problem::Problem;
use crate::reach;
use crate::refreshes;
use crate::retention;
use crate::roles::Roles;
use crate::router;
use crate::runner::{Runner, claim, family, recover};
use crate::tables::{tenants, tokens};
use crate::tenant::TENANTS;
use crate::tenant_settings::TenantSettings;
use crate::triggers::scheduler;
use crate::walls::Walls;

/// Instances beyond those of runs: for loading repos and for checking scripts.
const SPARE: u32 = 4;

/// What a program gives to a server.
pub struct ServeOptions {
    /// What the operator decided.
    pub config: ServeConfig,
    /// The actions repo of the tenant `default`, where the configuration names no tenants.
    pub actions: Option<PathBuf>,
    /// Policy files of that tenant.
    pub policy: Vec<PathBuf>,
    /// How native actions are run.
    pub programs: programs::Settings,
    /// What the program was started with.
    pub environment: Environment,
    /// Whether to make a link for an operator although one has signed in before.
    pub sign_in: bool,
}

/// Why a server does not start, or has ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The machine lacks what actions require, or an actions repo is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The address.
    #[error("the address {address} cannot be listened on")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The provider whose people sign in.
    #[error("`oidc.client_secret` cannot be read: {0}")]
    Oidc(String),
    /// A tenant.
    #[error("the tenant `{name}` is wrong: {why}")]
    Tenant {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// The first operator.
    #[error("the operator cannot be made: {0}")]
    Operator(String),
    /// Something of the system.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The folder of the store, below the server's own.
pub(crate) const STORE: &str = "store";

/// The file of the store.
pub(crate) fn store_file(data: &Path) -> PathBuf {
    data.join(STORE).join("serve.db")
}

/// What a server tells when it has started.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// The address by which people reach it.
    pub url: String,
    /// A link that signs the operator in, once; none if an operator has signed in before.
    pub link: Option<String>,
    /// Runs that were running when the server last ended, and go on.
    pub resumed: usize,
    /// Runs that wait for their turn.
    pub queued: i64,
    /// Tenants.
    pub tenants: Vec<String>,
}

/// Runs a server until `stop` returns, and waits for its runs until it returns once more. `started` is called when it takes
/// requests.
///
/// # Errors
/// Why it cannot start.
pub async fn serve(
    options: ServeOptions,
    runs: tokio::runtime::Handle,
    started: impl FnOnce(Started),
    mut stop: impl AsyncFnMut(),
) -> Result<(), ServeError> {
    let listen = options.config.listen;
    let failed = |source| ServeError::Listen {
        address: listen,
        source,
    };
    let config = options.config.clone();
    let (connections, of_a_peer) = (config.connections, config.connections_per_peer());
    let listener = Listener::new(listen, config.tls.as_ref(), connections, of_a_peer).await;
    let listener = listener.map_err(failed)?;
    let address = listener.address().map_err(failed)?;
    let (app, sending) = open(&options, runs, address).await?;
    if let Some(tls) = &config.tls {
        let valid = certificate::validity(&tls.certificate).map_err(failed)?;
        app.metrics.certificate(valid.until);
    }
    let recovered = recover::recover(&app.store).await?;
    for (tenant, count) in &recovered.queued {
        app.runner
            .fair()
            .add_queued(*tenant, u64::try_from(*count).unwrap_or(0));
    }
    for (run, by) in &recovered.cancelled {
        family::cancel(&app, *run, by).await?;
    }
    let operator = |problem: Problem| ServeError::Operator(problem.detail);
    let known = app.store.read(|tx| tokens::list(tx, None)).await?;
    let signed_in = known
        .iter()
        .any(|row| row.tenant.is_none() && row.last_used.is_some());
    let link = match options.sign_in || !signed_in {
        true => Some(session::operator_link(&app).await.map_err(operator)?),
        false => None,
    };
    let claims = tokio::spawn(claim::claim_runs(app.clone()));
    let keeping = tokio::spawn(retention::keep(app.clone()));
    let schedules = tokio::spawn(scheduler::run(app.clone()));
    let deliveries = tokio::spawn(sender::run(app.clone()));
    let refreshes = tokio::spawn(refreshes::run(app.clone()));
    let ending = app.ending.subscribe();
    let serving = tokio::spawn(listener.serve(router::router(app.clone()), ending));
    started(Started {
        address,
        url: app.address().to_owned(),
        link,
        resumed: recovered.resumed,
        queued: recovered.queued.iter().map(|(_, count)| count).sum(),
        tenants: app
            .tenants
            .all()
            .iter()
            .map(|tenant| tenant.name.clone())
            .collect(),
    });
    stop().await;
    drain(&app, config.drain, stop()).await;
    claims.abort();
    keeping.abort();
    schedules.abort();
    deliveries.abort();
    refreshes.abort();
    app.ending.send_replace(true);
    serving.await.ok();
    if let Some(sending) = sending {
        sending.await.ok();
    }
    Ok(())
}

/// Waits for the runs that run. Those that take too long, or go on when `at_once` is ready, are stopped, and go on when the
/// server is back.
async fn drain(app: &Arc<App>, within: Duration, at_once: impl Future<Output = ()>) {
    app.runner.drain();
    let running = app.runner.count();
    if running > 0 {
        let seconds = within.as_secs();
        tracing::warn!("waiting up to {seconds} s for {running} runs; once more stops them now");
    }
    let mut at_once = pin!(at_once);
    let until = tokio::time::Instant::now() + within;
    loop {
        let ended = app.runner.ended.notified();
        if app.runner.count() == 0 {
            return;
        }
        tokio::select! {
            () = ended => {}
            () = tokio::time::sleep_until(until) => break,
            () = &mut at_once => break,
        }
    }
    tracing::warn!(
        "{} runs are stopped, and go on when the server is back",
        app.runner.count()
    );
    app.runner.cancel_all();
    let until = tokio::time::Instant::now() + Duration::from_secs(5);
    while app.runner.count() > 0 {
        let ended = app.runner.ended.notified();
        if app.runner.count() > 0 && tokio::time::timeout_at(until, ended).await.is_err() {
            return;
        }
    }
}

/// Everything that the server is made of, before it takes requests, and what sends its traces.
async fn open(
    options: &ServeOptions,
    runs: tokio::runtime::Handle,
    address: SocketAddr,
) -> Result<(Arc<App>, Option<JoinHandle<()>>), ServeError> {
    let config = options.config.clone();
    let store = Store::open(&store_file(&config.data), Mode::Exclusive)?;
    let engine = Runtime::builder()
        .instances(config.slots + SPARE)
        .environment(Environment::default())
        .programs(options.programs.clone())
        .executor(Arc::new(kael_wasm::WasmFactory::new()))
        .executor(Arc::new(kael_mcp::client::McpFactory))
        .executor(Arc::new(kael_stdlib::StdlibFactory))
        .library(kael_stdlib::library())
        .build()?;
    engine.require_confinement().await?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{address}"));
    let ending = watch::Sender::new(false);
    let traces = config.otlp.clone().map(|collector| {
        let collector = Collector {
            address: collector,
            trust: Trust::new(&options.environment),
        };
        let (exporter, sending) = Exporter::new(collector, ending.subscribe());
        (exporter, tokio::spawn(sending))
    });
    let (traces, sending) = traces.unzip();
    let oidc = config
        .oidc
        .clone()
        .map(|oidc| Oidc::new(oidc, &url, &options.environment));
    let oidc = oidc.transpose().map_err(ServeError::Oidc)?;
    let app = Arc::new(App {
        counts: Arc::new(StoredCounts::of(store.clone())),
        store,
        engine,
        runs,
        runner: Runner::new(config.slots),
        schedules: Notify::new(),
        deliveries: Arc::default(),
        places: Places::default(),
        tenants: Tenants::default(),
        authority: Authority::new(config.rate),
        metrics: Metrics::new(),
        compiled: Compiled::default(),
        mcp: Arc::default(),
        roles: Roles::of_document(&api::openapi()),
        environment: private_files::named(&options.environment, config.private_files()),
        walls: Arc::new(Walls::of_machine(options.programs.confinement).await),
        ending,
        traces,
        oidc,
        address: url,
        config,
    });
    add_tenants(&app, options).await?;
    Ok((app, sending))
}

/// Takes the tenants of the configuration into the store, and all of the store into the server.
async fn add_tenants(app: &Arc<App>, options: &ServeOptions) -> Result<(), ServeError> {
    let mut named = app.config.tenants.clone();
    if named.is_empty() {
        let settings = TenantSettings {
            actions: options.actions.clone(),
            policy: options.policy.clone(),
            ..TenantSettings::default()
        };
        named.push(("default".to_owned(), settings));
    }
    let rows = app.store.write(move |tx| {
        for (name, settings) in &named {
            let text = serde_json::to_string(settings).unwrap_or_default();
            // The file says nothing of that: an operator does.
            let disabled = tenants::by_name(tx, name)?.is_some_and(|row| row.disabled);
            tenants::put(tx, name, &text, disabled)?;
        }
        tenants::all(tx)
    });
    for row in rows.await? {
        let wrong = |why| ServeError::Tenant {
            name: row.name.clone(),
            why,
        };
        app.put_tenant(&row).map_err(wrong)?;
    }
    let all = app.tenants.all();
    reach::refuse(app, &all).map_err(|(name, why)| ServeError::Tenant { name, why })?;
    for tenant in all.iter().filter(|tenant| !tenant.is_disabled()) {
        if tenant.settings.git.is_some() {
            // What is elsewhere may be away for a while: the others do not wait for it.
            let (app, tenant) = (app.clone(), tenant.clone());
            tokio::spawn(async move {
                if let Err(why) = tenant.repo(&app.engine).await {
                    tracing::error!(
                        "the actions repo of `{}` cannot be used: {why}",
                        tenant.name
                    );
                }
            });
            continue;
        }
        // A repo that is wrong is told at once, and not at the first run.
        let loaded = tenant.repo(&app.engine).await;
        loaded.map_err(|why| ServeError::Tenant {
            name: tenant.name.clone(),
            why,
        })?;
    }
    Ok(())
}

/// What no process of an action sees of a server whose tenant has this environment: the store, the
/// files that are the server's alone, the folders of the other tenants that are there, and where the
/// server is in Kael's data folder, what is private there.
#[must_use]
pub fn hidden(environment: &Environment) -> Vec<PathBuf> {
    let own = environment.data_folder();
    let Some(data) = own.parent().and_then(Path::parent) else {
        return Vec::new();
    };
    let others = std::fs::read_dir(data.join(TENANTS)).into_iter().flatten();
    let others = others.flatten().map(|entry| entry.path());
    let mut hidden: Vec<PathBuf> = others.filter(|path| *path != own).collect();
    hidden.push(data.join(STORE));
    hidden.extend(private_files::of(environment));
    if let Some(kael) = data.parent().filter(|_| data.ends_with("server")) {
        hidden.extend(["cache", "secrets", STORE].map(|name| kael.join(name)));
    }
    hidden
}

/// The OpenAPI document of the server.
#[must_use]
pub fn openapi() -> String {
    api::openapi()
}
