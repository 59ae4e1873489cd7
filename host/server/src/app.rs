//! What all parts of the server share.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use kael_engine::environment::Environment;
use kael_engine::runtime::Runtime;
use kael_runs::{Runs, StoredCounts};
use kael_store::{Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::auth::Authority;
use crate::compiled::Compiled;
use crate::config::ServeConfig;
use crate::deliveries::flights::Flights;
use crate::metrics::Metrics;
use crate::oidc::Oidc;
use crate::otlp::Exporter;
use crate::places::Places;
use crate::roles::Roles;
use crate::runner::Runner;
use crate::tables::tenants::TenantRow;
use crate::tenant::Tenant;
use crate::walls::Walls;

/// The server.
pub(crate) struct App {
    pub(crate) config: ServeConfig,
    pub(crate) store: Store,
    /// Counts the calls of all runs for the budgets of policies, in the store.
    pub(crate) counts: Arc<StoredCounts>,
    /// Runs the scripts.
    pub(crate) engine: Runtime,
    /// Where runs are driven: apart from the API, so that neither starves the other.
    pub(crate) runs: tokio::runtime::Handle,
    pub(crate) runner: Runner,
    /// Wakes the loop of schedules: one of them was changed.
    pub(crate) schedules: Notify,
    /// What is being sent to subscriptions.
    pub(crate) deliveries: Arc<Flights>,
    /// Bounds replays and dry runs, which have no place in the queue.
    pub(crate) places: Places,
    pub(crate) tenants: Tenants,
    pub(crate) authority: Authority,
    pub(crate) metrics: Metrics,
    /// Seals what clients of MCP bring back.
    pub(crate) mcp: Arc<kael_mcp::http::Seal>,
    /// Scripts that need not be compiled again to know that they are Lua.
    pub(crate) compiled: Compiled,
    pub(crate) environment: Environment,
    /// Sends traces to a collector, if there is one.
    pub(crate) traces: Option<Arc<Exporter>>,
    /// What keeps the tenants apart.
    pub(crate) walls: Arc<Walls>,
    /// The role that each route of the API needs, as its OpenAPI document says.
    pub(crate) roles: Roles,
    /// The provider whose people sign in, if there is one.
    pub(crate) oidc: Option<Oidc>,
    /// True once the server ends: streams end, too.
    pub(crate) ending: watch::Sender<bool>,
    /// The address by which people reach the server, without a slash at its end.
    pub(crate) address: String,
}

impl App {
    /// Drives a future beside the runs.
    pub(crate) fn spawn_run(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runs.spawn(future);
    }

    /// The folder with everything that the server keeps.
    pub(crate) fn data(&self) -> PathBuf {
        self.config.data.clone()
    }

    /// The address by which people reach the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The journals of a tenant's runs.
    pub(crate) fn runs_of(&self, tenant: i64) -> Runs {
        let wake = self.runner.wake.clone();
        Runs::of_server(
            self.store.clone(),
            tenant,
            Arc::new(move || wake.notify_one()),
        )
    }

    /// Bytes of the store's files.
    pub(crate) fn store_bytes(&self) -> i64 {
        let file = self.store.path();
        let beside = file.with_extension("db-wal");
        let sizes =
            [file, beside.as_path()].map(|path| path.metadata().map_or(0, |meta| meta.len()));
        i64::try_from(sizes.iter().sum::<u64>()).unwrap_or(i64::MAX)
    }

    /// Takes a tenant's row, as it is in the store now.
    ///
    /// # Errors
    /// What is wrong with its settings.
    pub(crate) fn put_tenant(&self, row: &TenantRow) -> Result<Arc<Tenant>, String> {
        let tenant = Tenant::new(row, &self.environment, &self.data())?;
        let tenant = Arc::new(tenant.behind(self.walls.clone()));
        let settings = &tenant.settings;
        self.runner.fair().set(
            tenant.id,
            settings.weight,
            // What is queued waits until the tenant is enabled again.
            match tenant.is_disabled() {
                true => 0,
                false => settings.max_running,
            },
            settings.max_queued,
        );
        self.metrics.name(tenant.id, &tenant.name);
        self.runner.repos.forget(tenant.id);
        self.tenants.put(tenant.clone());
        self.walls.set_tenants(self.tenants.enabled());
        self.runner.wake.notify_one();
        self.schedules.notify_one();
        if tenant.is_disabled() {
            self.deliveries.end_tenant(tenant.id);
        }
        self.deliveries.wake();
        Ok(tenant)
    }

    /// Waits until the server ends.
    pub(crate) async fn ends(&self) {
        self.ending
            .subscribe()
            .wait_for(|ending| *ending)
            .await
            .ok();
    }
}

/// The tenants, by id.
#[derive(Default)]
pub(crate) struct Tenants(RwLock<BTreeMap<i64, Arc<Tenant>>>);

impl Tenants {
    pub(crate) fn get(&self, id: i64) -> Option<Arc<Tenant>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).cloned()
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<Tenant>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().find(|tenant| tenant.name == name).cloned()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// How many may do something.
    fn enabled(&self) -> usize {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|tenant| !tenant.is_disabled()).count()
    }

    fn put(&self, tenant: Arc<Tenant>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id, tenant);
    }
}

/// A piece of work in the store that the caller of a request waits for.
pub(crate) type StoreResult<T> = Result<T, StoreError>;
