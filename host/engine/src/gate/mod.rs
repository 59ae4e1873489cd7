//! The gate: every effect of a script passes these steps, in this order.
//!
//! lookup, merge, validate, policy, approval, run (or a kept result), bound, record. Each is a function of values; only
//! `run`, the cache and whoever approves touch the world. The gate does not know that the sandbox exists.

pub mod answers;
pub mod approval;
pub mod audit;
mod budget;
pub mod cache;
mod documents;
mod dry_run;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod merge;
mod perform;
mod policy;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

pub use answers::{Answers, DryRun, Planned, Recorder};
pub use approval::Approver;
pub use audit::AuditLog;
pub use cache::{Cache, CacheUse};
pub use policy::{Pattern, Policy};
pub use record::Record;
use record::{Noted, Recording, shown};

use crate::activity::{Activity, Kind};
use crate::catalog::{Catalog, Definition};
use crate::executor::{Execute, run_id};
use crate::failure::{ActionError, ErrorKind};
use crate::json;
use crate::policy::{Decision, Verdict};

/// For whom scripts run that name nobody.
const TENANT: &str = "default";

/// Answers calls with the actions of one catalog.
pub struct Dispatcher {
    catalog: Arc<Catalog>,
    policy: Policy,
    executor: Arc<dyn Execute>,
    cache: Option<Cache>,
    rehearsal: Option<Arc<DryRun>>,
    recorder: Option<Arc<Recorder>>,
    activity: Activity,
    /// Calls whose lines on stderr were shown.
    heard: AtomicU64,
    /// The run that makes the calls, and how many it has made.
    run: String,
    calls: AtomicU64,
    /// What of each budget of the policy is spent.
    spent: Vec<AtomicU32>,
}

impl Dispatcher {
    /// A gate to the catalog's actions.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, policy: Policy, executor: Arc<dyn Execute>) -> Self {
        let budgets = policy
            .rulebook
            .as_ref()
            .map_or(0, |rules| rules.budgets().len());
        Self {
            spent: (0..budgets).map(|_| AtomicU32::new(0)).collect(),
            catalog,
            policy,
            executor,
            cache: None,
            rehearsal: None,
            recorder: None,
            activity: Activity::default(),
            heard: AtomicU64::new(0),
            run: run_id(),
            calls: AtomicU64::new(0),
        }
    }

    /// The same with a board on which its calls are noted.
    #[must_use]
    pub fn with_activity(self, activity: Activity) -> Self {
        Self { activity, ..self }
    }

    /// The same for a dry run, and with a record of the answers.
    #[must_use]
    pub fn with_answers(
        self,
        rehearsal: Option<Arc<DryRun>>,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        Self {
            rehearsal,
            recorder,
            ..self
        }
    }

    /// The same with a cache for the actions whose definition says so.
    #[must_use]
    pub fn with_cache(self, cache: Cache) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    /// Answers one call with the result as JSON text, and hands its record to `keep`, when it is abandoned too.
    /// Dropping the future ends what the action has started.
    ///
    /// # Errors
    /// Whatever a script is to see of a failure.
    pub async fn call(
        &self,
        name: &str,
        params: String,
        keep: &(dyn Fn(Record) + Send + Sync),
    ) -> Result<String, ActionError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let shown = shown(name);
        let mut recording = Recording {
            doing: self.activity.begin(Kind::Action, &shown),
            name: shown,
            noted: Noted::default(),
            audit: self.policy.audit.as_deref(),
            run: &self.run,
            number,
            start: Instant::now(),
            failed: Some(ErrorKind::Cancelled),
            keep,
        };
        let logged = tracing::enabled!(tracing::Level::INFO);
        let outcome = if logged || self.activity.is_on() {
            let heard = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
            let lines = recording.doing.lines(&recording.name, heard, logged);
            Box::pin(lines.of(self.steps(name, number, params, &mut recording.noted))).await
        } else {
            self.steps(name, number, params, &mut recording.noted).await
        };
        recording.noted.bytes = outcome.as_ref().ok().map(String::len);
        recording.failed = outcome.as_ref().err().map(|error| error.kind);
        outcome
    }

    async fn steps(
        &self,
        name: &str,
        number: u64,
        params: String,
        noted: &mut Noted,
    ) -> Result<String, ActionError> {
        let definition = self.lookup(name)?;
        if self.policy.audit.is_some() {
            noted.definition = Some(definition.clone());
        }
        let merged = |definition: &Definition, params: String| {
            let params = documents::merged(definition, params)?;
            Ok((digest_of(&params), params))
        };
        let (made, params) = if json::is_large(params.len()) {
            let (definition, size) = (definition.clone(), params.len());
            let merging = move || merged(&definition, params);
            Box::pin(aside(size, merging)).await?
        } else {
            merged(definition, params)?
        };
        noted.digest = Some(made);
        self.authorize(definition)?;
        let params = match self.policy.has_rules() {
            false => params,
            true => {
                let (decision, params) = self.decide(definition, params).await?;
                let verdict = decision.verdict;
                let decision = noted.decision.insert(decision);
                match verdict {
                    Verdict::Allow => {}
                    Verdict::Deny => return Err(policy::denied(name, decision, None)),
                    // Nothing runs, so no person is asked.
                    Verdict::Approve if self.rehearsal.is_some() => {}
                    Verdict::Approve => {
                        let approver = self.policy.approver.as_deref();
                        let asking = approval::ask(approver, name, &params, decision);
                        Box::pin(asking).await?;
                    }
                }
                self.spend(definition, name)?;
                params
            }
        };
        if let Some(rehearsal) = &self.rehearsal {
            return Box::pin(self.rehearse(rehearsal, definition, name, number, params)).await;
        }
        if self.recorder.is_none()
            && definition.reuse.retry.is_none()
            && self.cache_of(definition).is_none()
        {
            // What most calls are, without the room in their future that the rest would take.
            return self.attempt(definition, (number, 1), params).await;
        }
        let decision = noted.decision.clone();
        Box::pin(self.recorded(definition, name, number, params, decision)).await
    }

    /// Runs an action, and writes its answer down where that is wanted.
    async fn recorded(
        &self,
        definition: &Arc<Definition>,
        name: &str,
        number: u64,
        params: String,
        decision: Option<Decision>,
    ) -> Result<String, ActionError> {
        let Some(recorder) = &self.recorder else {
            return self.perform(definition, name, number, params).await;
        };
        let outcome = self.perform(definition, name, number, params.clone()).await;
        let size = params.len() + outcome.as_ref().map_or(0, String::len);
        let (recorder, own) = (recorder.clone(), name.to_owned());
        let recording = move || {
            let recorded = recorder.add(&own, &params, &outcome, decision.as_ref());
            (recorded, outcome)
        };
        let recorded = json::aside(size, recording).await;
        let (recorded, outcome) = recorded.ok_or_else(interrupted)?;
        if let Err(error) = recorded {
            tracing::warn!("the answer of {name} is not recorded: {error}");
        }
        outcome
    }

    fn lookup(&self, name: &str) -> Result<&Arc<Definition>, ActionError> {
        self.catalog.get(name).ok_or_else(|| {
            let hint = self
                .catalog
                .nearest(name)
                .map(|near| format!(" (did you mean '{near}'?)"))
                .unwrap_or_default();
            ActionError::new(
                ErrorKind::UnknownAction,
                format!("no action '{}'{hint}", shown(name)),
            )
        })
    }

    /// A definition with several names is denied by any of them.
    fn authorize(&self, definition: &Definition) -> Result<(), ActionError> {
        match definition
            .names
            .iter()
            .find_map(|name| self.policy.denies(name))
        {
            None => Ok(()),
            Some(pattern) => Err(policy::denied_by_pattern(pattern)),
        }
    }

    /// What the rules say of a call with these merged parameters.
    async fn decide(
        &self,
        definition: &Arc<Definition>,
        params: String,
    ) -> Result<(Decision, String), ActionError> {
        if !json::is_large(params.len()) {
            return Ok((self.policy.decide(definition, &params, TENANT)?, params));
        }
        let (policy, definition, size) = (self.policy.clone(), definition.clone(), params.len());
        let deciding = move || Ok((policy.decide(&definition, &params, TENANT)?, params));
        Box::pin(aside(size, deciding)).await
    }
}

/// The parameters that an action would be called with: over its defaults and under what it locks, held to its schema.
///
/// # Errors
/// What the script that gave them would see.
pub fn merged(definition: &Definition, params: String) -> Result<String, ActionError> {
    documents::merged(definition, params)
}

/// Merges or checks a document, and lets others have the thread when that takes long.
async fn aside<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, ActionError> + Send + 'static,
) -> Result<T, ActionError> {
    let done = json::aside(size, work).await;
    done.unwrap_or_else(|| Err(interrupted()))
}

/// What only the end of the host can bring about.
fn interrupted() -> ActionError {
    ActionError::new(ErrorKind::Unavailable, "the host was interrupted")
}

fn digest_of(params: &str) -> [u8; 32] {
    Sha256::digest(params.as_bytes()).into()
}
