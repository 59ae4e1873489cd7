//! The gate: every effect of a script passes these steps, in this order.
//!
//! lookup, merge, validate, authorize, run (or a kept result), bound, record. Each is a function of values; only `run`,
//! the cache and an embedder's policy hook touch the world. The gate does not know that the sandbox exists.

pub mod answers;
mod answers_error;
pub mod approval;
mod approved;
pub mod audit;
mod budget;
pub mod cache;
pub mod counter;
mod denied;
mod documents;
mod dry_run;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod hook;
pub mod merge;
mod observer;
mod perform;
mod policy;
mod record;
mod recording;
mod secrets;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

pub use answers::{Answers, DryRun, Planned, Recorder};
pub use approval::Approver;
pub use audit::AuditLog;
pub use cache::{Cache, CacheUse};
pub use counter::{CallCounter, Count, Counted, Counting};
pub use hook::{CallRequest, Deciding, Decision, PolicyHook};
pub use observer::{Attempt, CallEvent, CallStart, Events, Observer, events};
use perform::Performed;
pub use policy::{Pattern, Policy};
pub use record::Record;
use recording::{Noted, Recording};

use crate::activity::{ActivityLog, SpanKind};
use crate::catalog::{Catalog, Definition, Effects, Executor};
use crate::executor::Execute;
use crate::failure::{ActionError, ErrorKind};
use crate::journal::{CallLog, Intent};
use crate::json;
use crate::names::printable;
use crate::permit;
use crate::policy::{Decision as PolicyDecision, Verdict};
use crate::run_info::{RunInfo, Tenant};
use crate::secrets::{RunSecrets, SecretSource};

/// Bytes of the parameters that the journal keeps of an effect, for people.
const MAX_INTENT: usize = 4 << 10;

/// Answers the calls of one run with the actions of one catalog.
pub struct Dispatcher {
    catalog: Arc<Catalog>,
    policy: Policy,
    executor: Arc<dyn Execute>,
    cache: Option<Cache>,
    dry_run: Option<Arc<DryRun>>,
    recorder: Option<Arc<Recorder>>,
    activity: ActivityLog,
    /// The run that makes the calls, and how many it has made.
    run: Arc<RunInfo>,
    calls: AtomicU64,
    /// What the run knows of secrets.
    secrets: RunSecrets,
    /// The folder of the actions repo, by which calls are counted; empty without one.
    repo: PathBuf,
    /// What of each budget of the run is spent.
    spent: budget::OfRun,
    observer: Option<Arc<dyn Observer>>,
    hook: Option<Arc<dyn PolicyHook>>,
}

impl Dispatcher {
    /// A gate to the catalog's actions, for the calls of a run of its own.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, policy: Policy, executor: Arc<dyn Execute>) -> Self {
        Self::for_run(RunInfo::new(Tenant::default()), catalog, policy, executor)
    }

    /// A gate to the catalog's actions, for the calls of that run.
    #[must_use]
    pub fn for_run(
        run: Arc<RunInfo>,
        catalog: Arc<Catalog>,
        policy: Policy,
        executor: Arc<dyn Execute>,
    ) -> Self {
        let budgets = policy
            .rulebook
            .as_ref()
            .map_or(0, |rules| rules.budgets().len());
        Self {
            spent: budget::OfRun::new(budgets),
            catalog,
            policy,
            executor,
            cache: None,
            dry_run: None,
            recorder: None,
            activity: ActivityLog::default(),
            run,
            calls: AtomicU64::new(0),
            secrets: RunSecrets::default(),
            repo: PathBuf::new(),
            observer: None,
            hook: None,
        }
    }

    /// The same with an observer of its calls.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { observer, ..self }
    }

    /// The same for the actions repo in that folder.
    #[must_use]
    pub fn of_repo(self, repo: PathBuf) -> Self {
        Self { repo, ..self }
    }

    /// The same with a hook that decides on the calls that the policy allows.
    #[must_use]
    pub fn with_hook(self, hook: Option<Arc<dyn PolicyHook>>) -> Self {
        Self { hook, ..self }
    }

    /// The same with secrets from this source.
    #[must_use]
    pub fn with_secrets(self, source: Option<Arc<dyn SecretSource>>) -> Self {
        Self {
            secrets: RunSecrets::new(source),
            ..self
        }
    }

    /// The same with a log in which its calls are noted.
    #[must_use]
    pub fn with_activity(self, activity: ActivityLog) -> Self {
        Self { activity, ..self }
    }

    /// The same for a dry run, and with a record of the answers.
    #[must_use]
    pub fn with_answers(
        self,
        dry_run: Option<Arc<DryRun>>,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        Self {
            dry_run,
            recorder,
            ..self
        }
    }

    /// The same with a cache for the actions whose definition says so.
    #[must_use]
    pub fn with_cache(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
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
        self.call_numbered(self.number(), name, params, keep, None)
            .await
    }

    /// The number of the next call. Taken when a script makes the call, and not when its turn comes: then a run that is
    /// replayed has the same numbers, and so the same idempotency keys.
    pub(crate) fn number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Answers the call of that number, and writes in the journal what it is about to do.
    pub(crate) async fn call_numbered(
        &self,
        call: u64,
        name: &str,
        params: String,
        keep: &(dyn Fn(Record) + Send + Sync),
        log: Option<&CallLog>,
    ) -> Result<String, ActionError> {
        let shown = printable(name);
        let mut recording = Recording {
            span: self.activity.begin_for(SpanKind::Action, &shown, &self.run),
            run: &self.run,
            call,
            name: shown,
            noted: Noted::default(),
            audit: self.policy.audit.as_deref(),
            start: Instant::now(),
            runner: None,
            failed: Some(ErrorKind::Cancelled),
            observer: self.observer.as_deref(),
            keep,
        };
        recording.begins();
        let logged = tracing::enabled!(tracing::Level::INFO);
        let outcome = if logged || self.activity.is_on() {
            let lines = recording.span.lines(&recording.name, call, logged);
            let steps = self.steps(call, name, params, &mut recording.noted, log);
            Box::pin(lines.of(steps)).await
        } else {
            self.steps(call, name, params, &mut recording.noted, log)
                .await
        };
        recording.noted.bytes = outcome.as_ref().ok().map(String::len);
        recording.failed = outcome.as_ref().err().map(|error| error.kind);
        recording.runner = self.runner(name);
        outcome
    }

    /// What runs an action, unless its calls are answered and not run.
    fn runner(&self, name: &str) -> Option<&'static str> {
        let definition = self.catalog.get(name).filter(|_| self.dry_run.is_none());
        self.executor.runner(definition?)
    }

    async fn steps(
        &self,
        call: u64,
        name: &str,
        params: String,
        noted: &mut Noted,
        log: Option<&CallLog>,
    ) -> Result<String, ActionError> {
        let definition = self.lookup(name)?;
        if self.policy.audit.is_some() {
            noted.definition = Some(definition.clone());
        }
        let merged = |definition: &Definition, params: String| {
            let params = documents::merged(definition, params)?;
            Ok((digest_of(&params), params))
        };
        let params_size = params.len();
        let (made, params) =
            if documents::takes_long(definition.contract.params.as_deref(), params_size) {
                let definition = definition.clone();
                let merging = move || merged(&definition, params);
                Box::pin(aside(params_size, merging)).await?
            } else {
                merged(definition, params)?
            };
        noted.digest = Some(made);
        let (granted, params) = match definition.executor {
            Executor::Builtin => self.granted(definition, params).await?,
            _ => (Vec::new(), params),
        };
        let params = match self.policy.is_empty() {
            true => params,
            false => {
                self.authorize(definition, (call, name), params, noted, log)
                    .await?
            }
        };
        let allowed = match &self.hook {
            None => Ok(()),
            Some(hook) => {
                let request = CallRequest {
                    run: &self.run,
                    call,
                    action: name,
                    params: &params,
                    definition,
                };
                Box::pin(hook::ask(&**hook, request, &mut noted.decision)).await
            }
        };
        let allowed =
            allowed.and_then(|()| self.check_secrets(definition, name, &params, granted, noted));
        if let Err(error) = allowed {
            self.unspend(definition);
            return Err(error);
        }
        if let Some(dry_run) = &self.dry_run {
            return Box::pin(self.answer_dry(dry_run, definition, name, call, params)).await;
        }
        if let Some(log) = log.filter(|_| definition.effects.kind != Effects::None) {
            Box::pin(self.intend(log, definition, name, call, &params)).await;
        }
        let number = (call, log.map_or(1, |log| log.attempt));
        if self.recorder.is_none()
            && definition.reuse.retry.is_none()
            && self.cache_of(definition).is_none()
        {
            *noted.attempts.get_mut() = number.1;
            // What most calls are, without the room in their future that the rest would take.
            return self.attempt(definition, number, params).await;
        }
        let decision = noted.decision.clone();
        let performed = Performed {
            name,
            call,
            first: number.1,
            attempts: &noted.attempts,
        };
        Box::pin(self.recorded(definition, performed, params, decision)).await
    }

    /// Runs an action, and writes its answer down where that is wanted.
    async fn recorded(
        &self,
        definition: &Arc<Definition>,
        performed: Performed<'_>,
        params: String,
        decision: Option<PolicyDecision>,
    ) -> Result<String, ActionError> {
        let name = performed.name;
        let Some(recorder) = &self.recorder else {
            return self.perform(definition, performed, params).await;
        };
        let outcome = self.perform(definition, performed, params.clone()).await;
        let size = params.len() + outcome.as_ref().map_or(0, String::len);
        let (recorder, own, runner) = (recorder.clone(), name.to_owned(), self.runner(name));
        let recording = move || {
            let recorded = recorder.add(&own, &params, runner, &outcome, decision.as_ref());
            (recorded, outcome)
        };
        let recorded = json::aside(size, recording).await;
        let (recorded, outcome) = recorded.ok_or_else(interrupted)?;
        if let Err(error) = recorded {
            tracing::warn!("the answer of {name} is not recorded: {error}");
        }
        outcome
    }

    /// Writes down that an effect is about to begin. It does not before that is durable.
    async fn intend(
        &self,
        log: &CallLog,
        definition: &Definition,
        name: &str,
        call: u64,
        params: &str,
    ) {
        let key = self.identity(call, log.attempt).key();
        let cut = params.floor_char_boundary(MAX_INTENT);
        log.intent(Intent {
            id: log.id,
            call,
            name: name.to_owned(),
            params: params[..cut].to_owned(),
            key,
            once: definition.effects.kind == Effects::Once,
            definition: definition.digest.clone(),
            attempt: log.attempt,
        })
        .await;
    }

    /// Whether an action changes something.
    pub(crate) fn has_effects(&self, name: &str) -> bool {
        let definition = self.catalog.get(name);
        definition.is_some_and(|definition| definition.effects.kind != Effects::None)
    }

    fn lookup(&self, name: &str) -> Result<&Arc<Definition>, ActionError> {
        self.catalog.get(name).ok_or_else(|| {
            ActionError::new(ErrorKind::UnknownAction, self.catalog.unknown_action(name))
        })
    }

    /// Lets a call go on that the policy allows, with a person's yes where it wants one and within its budgets. What
    /// decided is noted.
    async fn authorize(
        &self,
        definition: &Arc<Definition>,
        (call, name): (u64, &str),
        params: String,
        noted: &mut Noted,
        log: Option<&CallLog>,
    ) -> Result<String, ActionError> {
        if let Some(why) = self.policy.audit.as_ref().and_then(|audit| audit.broken()) {
            return Err(denied::without_audit(&why));
        }
        let (decision, params) = self.decide(definition, params).await?;
        let Some(decision) = decision else {
            return Ok(params);
        };
        let decision = noted.decision.insert(decision);
        match decision.verdict {
            Verdict::Allow => {}
            Verdict::Deny => return Err(denied::by(name, &decision.source, None)),
            // Nothing runs, so no person is asked.
            Verdict::Approve if self.dry_run.is_some() => {}
            Verdict::Approve => {
                let asking = self.approved(definition, (call, name), &params, decision, log);
                Box::pin(asking).await?;
            }
        }
        if let Err(spent) = self.spend(definition, name).await {
            noted.decision = Some(PolicyDecision::of(spent.source));
            return Err(spent.error);
        }
        Ok(params)
    }

    /// The secrets that grants put into a call of the host's own actions, where they open it at all.
    async fn granted(
        &self,
        definition: &Arc<Definition>,
        params: String,
    ) -> Result<(Vec<String>, String), ActionError> {
        let size = params.len();
        if !json::is_large(size) {
            let grants = self.policy.grants();
            let granted = self.executor.granted(definition, &params, grants)?;
            return Ok((granted, params));
        }
        let (executor, policy) = (self.executor.clone(), self.policy.clone());
        let definition = definition.clone();
        let looking = move || {
            let granted = executor.granted(&definition, &params, policy.grants())?;
            Ok((granted, params))
        };
        Box::pin(aside(size, looking)).await
    }

    /// What the policy says of a call with these merged parameters.
    async fn decide(
        &self,
        definition: &Arc<Definition>,
        params: String,
    ) -> Result<(Option<PolicyDecision>, String), ActionError> {
        let (costly, size) = (self.policy.is_costly(definition), params.len());
        if self.policy.rulebook.is_none() || !documents::takes_long_if(costly, size) {
            let tenant = self.run.tenant.as_str();
            return Ok((self.policy.answer(definition, &params, tenant), params));
        }
        let (policy, definition, run) = (self.policy.clone(), definition.clone(), self.run.clone());
        let deciding = move || {
            let decision = policy.answer(&definition, &params, run.tenant.as_str());
            Ok((decision, params))
        };
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
    let done = match documents::takes_turns(size) {
        true => json::beside(work).await,
        false => permit::blocking(work).await.ok(),
    };
    done.unwrap_or_else(|| Err(interrupted()))
}

/// What only the end of the host can bring about.
fn interrupted() -> ActionError {
    ActionError::new(ErrorKind::Unavailable, "the host was interrupted")
}

fn digest_of(params: &str) -> [u8; 32] {
    Sha256::digest(params.as_bytes()).into()
}
