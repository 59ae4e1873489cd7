//! What the server counts, for Prometheus.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::runner::Runner;
use crate::tables::retention::Removed;
use crate::tables::runs::{Ended, State};

/// Tenants that have labels of their own.
const MAX_TENANTS: usize = 200;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTenant {
    tenant: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfEnding {
    tenant: String,
    ending: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    route: String,
    code: u16,
}

/// What the server counts.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    names: Mutex<std::collections::BTreeMap<i64, String>>,
    submitted: Family<OfTenant, Counter>,
    runs: Family<OfEnding, Counter>,
    wait: Family<OfTenant, Histogram, fn() -> Histogram>,
    run: Histogram,
    slots: Family<OfState, Gauge>,
    queued: Family<OfTenant, Gauge>,
    running: Family<OfTenant, Gauge>,
    waiting: Family<OfTenant, Gauge>,
    parked: Family<OfTenant, Gauge>,
    requests: Family<OfRoute, Counter>,
    request: Histogram,
    readers: Gauge,
    store_bytes: Gauge,
    claim_age: Gauge,
    /// Runs that retention removed, by what of them.
    removed: Family<OfState, Counter>,
    storage: Family<OfTenant, Gauge>,
    free: Gauge,
    storage_limit: Family<OfTenant, Gauge>,
    certificate: Gauge,
    fires: Family<OfOutcome, Counter>,
    deliveries: Family<OfOutcome, Counter>,
    clock_steps: Counter,
    sent: Family<OfOutcome, Counter>,
}

fn seconds() -> Histogram {
    // From 1 ms to 65 minutes.
    Histogram::new(exponential_buckets(0.001, 3.0, 15))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("kael")),
            names: Mutex::default(),
            submitted: Family::default(),
            runs: Family::default(),
            wait: Family::new_with_constructor(seconds as fn() -> Histogram),
            run: seconds(),
            slots: Family::default(),
            queued: Family::default(),
            running: Family::default(),
            waiting: Family::default(),
            parked: Family::default(),
            requests: Family::default(),
            request: seconds(),
            readers: Gauge::default(),
            store_bytes: Gauge::default(),
            claim_age: Gauge::default(),
            removed: Family::default(),
            storage: Family::default(),
            free: Gauge::default(),
            storage_limit: Family::default(),
            certificate: Gauge::default(),
            fires: Family::default(),
            deliveries: Family::default(),
            clock_steps: Counter::default(),
            sent: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(
            "runs_submitted",
            "Runs that were submitted",
            self.submitted.clone(),
        );
        registry.register("runs", "Runs that ended, by how", self.runs.clone());
        registry.register_with_unit(
            "queue_wait",
            "From the time at which a run may begin to its beginning",
            Unit::Seconds,
            self.wait.clone(),
        );
        registry.register_with_unit(
            "run",
            "From the beginning of a run to its end",
            Unit::Seconds,
            self.run.clone(),
        );
        registry.register("slots", "Slots for runs: all, and used", self.slots.clone());
        registry.register(
            "queued_runs",
            "Runs that wait for their turn",
            self.queued.clone(),
        );
        registry.register("running_runs", "Runs that run", self.running.clone());
        registry.register(
            "waiting_runs",
            "Runs that wait for a time, a signal, another run or a person",
            self.waiting.clone(),
        );
        registry.register(
            "parked_runs",
            "Runs that cannot go on without a person",
            self.parked.clone(),
        );
        registry.register(
            "http_requests",
            "Requests, by route and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http",
            "Time of a request to its answer",
            Unit::Seconds,
            self.request.clone(),
        );
        registry.register(
            "sse_clients",
            "Readers that follow a run",
            self.readers.clone(),
        );
        registry.register_with_unit(
            "store_size",
            "Size of the store's files",
            Unit::Bytes,
            self.store_bytes.clone(),
        );
        registry.register_with_unit(
            "store_free",
            "Free room of the disk of the store",
            Unit::Bytes,
            self.free.clone(),
        );
        registry.register_with_unit(
            "tenant_storage",
            "Scripts, output, calls and results of a tenant in the store",
            Unit::Bytes,
            self.storage.clone(),
        );
        registry.register_with_unit(
            "tenant_storage_limit",
            "What a tenant may have in the store",
            Unit::Bytes,
            self.storage_limit.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry",
            "When the certificate ends, since 1970; 0 without one",
            Unit::Seconds,
            self.certificate.clone(),
        );
        registry.register(
            "removed_runs",
            "Runs that were removed because they are old: their output, and the runs",
            self.removed.clone(),
        );
        registry.register(
            "claim_age_milliseconds",
            "Since the claim loop last came around",
            self.claim_age.clone(),
        );
        registry.register(
            "schedule_fires",
            "Fires of schedules, by what became of them",
            self.fires.clone(),
        );
        registry.register(
            "hook_deliveries",
            "Webhooks that came in, by what became of them",
            self.deliveries.clone(),
        );
        registry.register(
            "clock_steps",
            "Times that the clock of the machine stepped by more than a minute",
            self.clock_steps.clone(),
        );
        registry.register(
            "webhook_deliveries",
            "Tries to deliver webhooks that go out, by what became of them",
            self.sent.clone(),
        );
    }

    /// Fires of schedules had this outcome.
    pub(crate) fn fired(&self, outcome: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(0);
        self.fires
            .get_or_create(&OfOutcome { outcome })
            .inc_by(count);
    }

    /// A webhook came in.
    pub(crate) fn delivered(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// A webhook that goes out was tried.
    pub(crate) fn sent(&self, outcome: &'static str) {
        self.sent.get_or_create(&OfOutcome { outcome }).inc();
    }

    pub(crate) fn clock_stepped(&self) {
        self.clock_steps.inc();
    }

    /// What a tenant is called. Those beyond a number of them have one name together.
    pub(crate) fn name(&self, tenant: i64, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < MAX_TENANTS {
            names.insert(tenant, name.to_owned());
        }
    }

    fn tenant(&self, tenant: i64) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .get(&tenant)
            .cloned()
            .unwrap_or_else(|| "(other)".to_owned())
    }

    pub(crate) fn submitted(&self, tenant: i64) {
        let tenant = self.tenant(tenant);
        self.submitted.get_or_create(&OfTenant { tenant }).inc();
    }

    /// A run began that could have begun at `ready`.
    pub(crate) fn waited(&self, tenant: i64, ready: i64, begun: i64) {
        let tenant = self.tenant(tenant);
        let seconds = (begun - ready).max(0) as f64 / 1e6;
        self.wait
            .get_or_create(&OfTenant { tenant })
            .observe(seconds);
    }

    pub(crate) fn ended(&self, tenant: i64, ended: &Ended, took: Duration) {
        self.not_run(tenant, ended);
        self.run.observe(took.as_secs_f64());
    }

    /// A run ended while nothing ran it.
    pub(crate) fn not_run(&self, tenant: i64, ended: &Ended) {
        let ending = ended
            .reason
            .clone()
            .unwrap_or_else(|| ended.state.name().to_owned());
        let tenant = self.tenant(tenant);
        self.runs.get_or_create(&OfEnding { tenant, ending }).inc();
    }

    pub(crate) fn request(&self, route: &str, code: u16, took: Duration) {
        let route = route.to_owned();
        self.requests.get_or_create(&OfRoute { route, code }).inc();
        self.request.observe(took.as_secs_f64());
    }

    /// What is old was removed.
    pub(crate) fn removed(&self, removed: &Removed) {
        for (state, count) in [("output", removed.stripped), ("run", removed.runs)] {
            self.removed.get_or_create(&OfState { state }).inc_by(count);
        }
    }

    pub(crate) fn reader(&self, by: i64) {
        self.readers.inc_by(by);
    }

    /// How many runs of which tenants wait, and how many are parked.
    pub(crate) fn stopped(&self, tenants: &[i64], counts: &[(i64, State, i64)]) {
        for (family, wanted) in [
            (&self.waiting, State::Waiting),
            (&self.parked, State::Parked),
        ] {
            for tenant in tenants {
                let found = counts
                    .iter()
                    .find(|(of, state, _)| of == tenant && *state == wanted);
                let label = OfTenant {
                    tenant: self.tenant(*tenant),
                };
                family
                    .get_or_create(&label)
                    .set(found.map_or(0, |(.., count)| *count));
            }
        }
    }

    /// Sets what is in the store: its size, the free room beside it, and what each tenant has and may have of it.
    pub(crate) fn stored(&self, size: i64, free: i64, tenants: &[(i64, i64, u64)]) {
        self.store_bytes.set(size);
        self.free.set(free);
        for (tenant, bytes, limit) in tenants {
            let tenant = OfTenant {
                tenant: self.tenant(*tenant),
            };
            self.storage.get_or_create(&tenant).set(*bytes);
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            self.storage_limit.get_or_create(&tenant).set(limit);
        }
    }

    /// Sets when the certificate ends: microseconds since 1970.
    pub(crate) fn certificate(&self, until: i64) {
        self.certificate.set(until / crate::time::SECOND);
    }

    /// All metrics as they are now, with those of these tenants.
    pub(crate) fn text(&self, runner: &Runner, tenants: &[i64]) -> String {
        let (all, used) = runner.fair().slots();
        self.slots
            .get_or_create(&OfState { state: "all" })
            .set(i64::from(all));
        self.slots
            .get_or_create(&OfState { state: "used" })
            .set(i64::from(used));
        for tenant in tenants {
            let load = runner.fair().load(*tenant);
            let label = OfTenant {
                tenant: self.tenant(*tenant),
            };
            self.queued
                .get_or_create(&label)
                .set(i64::try_from(load.queued).unwrap_or(i64::MAX));
            self.running
                .get_or_create(&label)
                .set(i64::from(load.running));
        }
        self.claim_age.set(runner.age() / 1000);
        let mut out = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = text::encode(&mut out, &registry) {
            tracing::error!("the metrics cannot be written: {error}");
        }
        out
    }
}
