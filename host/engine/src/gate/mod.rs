//! The gate: every effect of a script passes these steps, in this order.
//!
//! lookup, merge, validate, authorize, run (or a kept result), bound, record. Each is a function of values; only `run`
//! and the cache touch the world. The gate does not know that the sandbox exists.

pub mod answers;
pub mod cache;
mod documents;
pub mod merge;
mod policy;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

pub use answers::{Answers, DryRun, Planned, Recorder};
pub use cache::{Cache, CacheUse};
pub use policy::{Pattern, Policy};

use crate::activity::{Activity, Kind, SpanGuard};
use crate::catalog::{Catalog, Definition};
use crate::executor::{Execute, Invocation};
use crate::failure::{ActionError, ErrorKind};
use crate::json;
use crate::permit;

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
}

/// Where a result is kept, and what is there.
struct Kept {
    file: String,
    result: Option<String>,
}

/// One call, for the record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name that was asked for.
    pub name: String,
    /// The start of the SHA-256 of the merged parameters, in hexadecimal; empty when they were never merged.
    pub digest: String,
    /// What ran it, as reports spell it; none where nothing was run.
    pub runner: Option<&'static str>,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
    /// When its turn came.
    pub started: Instant,
    /// From then to its outcome.
    pub duration: Duration,
}

impl Dispatcher {
    /// A gate to the catalog's actions.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, policy: Policy, executor: Arc<dyn Execute>) -> Self {
        Self {
            catalog,
            policy,
            executor,
            cache: None,
            rehearsal: None,
            recorder: None,
            activity: Activity::default(),
            heard: AtomicU64::new(0),
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
        let shown = shown(name);
        let mut recording = Recording {
            doing: self.activity.begin(Kind::Action, &shown),
            name: shown,
            digest: String::new(),
            start: Instant::now(),
            runner: None,
            failed: Some(ErrorKind::Cancelled),
            keep,
        };
        let logged = tracing::enabled!(tracing::Level::INFO);
        let outcome = if logged || self.activity.is_on() {
            let number = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
            let lines = recording.doing.lines(&recording.name, number, logged);
            Box::pin(lines.of(self.steps(name, params, &mut recording.digest))).await
        } else {
            self.steps(name, params, &mut recording.digest).await
        };
        recording.failed = outcome.as_ref().err().map(|error| error.kind);
        recording.runner = self.runner(name);
        outcome
    }

    /// What runs an action, unless its calls are answered and not run.
    fn runner(&self, name: &str) -> Option<&'static str> {
        let definition = self.catalog.get(name).filter(|_| self.rehearsal.is_none());
        self.executor.runner(definition?)
    }

    async fn steps(
        &self,
        name: &str,
        params: String,
        digest: &mut String,
    ) -> Result<String, ActionError> {
        let definition = self.lookup(name)?;
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
        *digest = made;
        self.authorize(definition)?;
        if let Some(rehearsal) = &self.rehearsal {
            return Box::pin(self.rehearse(rehearsal, definition, name, params)).await;
        }
        if self.recorder.is_none()
            && definition.reuse.retry.is_none()
            && self.cache_of(definition).is_none()
        {
            // What most calls are, without the room in their future that the rest would take.
            return self.attempt(definition, params).await;
        }
        Box::pin(self.recorded(definition, name, params)).await
    }

    /// Runs an action, and writes its answer down where that is wanted.
    async fn recorded(
        &self,
        definition: &Arc<Definition>,
        name: &str,
        params: String,
    ) -> Result<String, ActionError> {
        let Some(recorder) = &self.recorder else {
            return self.perform(definition, name, params).await;
        };
        let outcome = self.perform(definition, name, params.clone()).await;
        let size = params.len() + outcome.as_ref().map_or(0, String::len);
        let (recorder, own, runner) = (recorder.clone(), name.to_owned(), self.runner(name));
        let recording = move || {
            let recorded = recorder.add(&own, &params, runner, &outcome);
            (recorded, outcome)
        };
        let recorded = json::aside(size, recording).await;
        let (recorded, outcome) = recorded.ok_or_else(interrupted)?;
        if let Err(error) = recorded {
            tracing::warn!("the answer of {name} is not recorded: {error}");
        }
        outcome
    }

    /// Answers a call without running anything, and tells what would have been run.
    async fn rehearse(
        &self,
        rehearsal: &DryRun,
        definition: &Arc<Definition>,
        name: &str,
        params: String,
    ) -> Result<String, ActionError> {
        let invocation = Invocation {
            definition,
            params: params.clone(),
        };
        let plan = self.executor.plan(invocation).await?;
        let (from, answer) = match rehearsal.given(name, &params) {
            Some(given) => (answers::From::File, given),
            None => {
                let (from, value) = answers::own(definition);
                (from, Ok(value.to_string()))
            }
        };
        let answer = match answer {
            Ok(text) => self
                .bound(definition, text.into_bytes())
                .await
                .map_err(|error| ActionError {
                    message: format!(
                        "the answer of the dry run ({}): {}",
                        from.words(),
                        error.message
                    ),
                    ..error
                }),
            Err(error) => Err(error),
        };
        let planned = Planned {
            action: name.to_owned(),
            params,
            command: plan.command,
            note: plan.note,
            env: plan.env,
            from,
            answer,
        };
        rehearsal.told(&planned);
        planned.answer
    }

    /// Runs an action, or uses a result that is kept.
    async fn perform(
        &self,
        definition: &Arc<Definition>,
        name: &str,
        params: String,
    ) -> Result<String, ActionError> {
        let kept = self.cached(definition, &params).await;
        if let Some(result) = kept.as_ref().and_then(|kept| kept.result.clone()) {
            tracing::debug!("{name}: a kept result is used");
            return Ok(result);
        }
        let result = self.attempts(definition, name, params).await?;
        if let Some(kept) = kept {
            self.keep(definition, name, kept.file, &result).await;
        }
        Ok(result)
    }

    /// Runs it, again if it fails in a way that its definition has foreseen.
    async fn attempts(
        &self,
        definition: &Arc<Definition>,
        name: &str,
        params: String,
    ) -> Result<String, ActionError> {
        let mut failed = 0;
        loop {
            let again = definition
                .reuse
                .retry
                .as_ref()
                .filter(|retry| failed + 1 < retry.attempts);
            let Some(retry) = again else {
                return self.attempt(definition, params).await;
            };
            let error = match self.attempt(definition, params.clone()).await {
                Err(error) if retry.on.contains(&error.kind) => error,
                outcome => return outcome,
            };
            failed += 1;
            let wait = retry.wait(failed, chance());
            tracing::info!(
                "{name}: attempt {failed} of {} failed ({}), the next in {:.1}s",
                retry.attempts,
                error.kind.name(),
                wait.as_secs_f64()
            );
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        definition: &Arc<Definition>,
        params: String,
    ) -> Result<String, ActionError> {
        let invocation = Invocation { definition, params };
        let stdout = self.executor.execute(invocation).await?;
        let bound = self.bound(definition, stdout).await;
        bound.map_err(|error| self.executor.masked(definition, error))
    }

    /// Where results of an action are kept, if they are to be.
    fn cache_of(&self, definition: &Definition) -> Option<&Cache> {
        definition.reuse.cache?;
        self.cache.as_ref().filter(|cache| !cache.is_off())
    }

    /// Where the result of a call is kept, and the result when it is there. None when it is not to be kept, or cannot
    /// be: a cache is no reason to fail.
    async fn cached(&self, definition: &Definition, params: &str) -> Option<Kept> {
        let cache = self.cache_of(definition)?.clone();
        let key = match cache.key() {
            Ok(key) => key,
            Err(error) => {
                tracing::warn!("results are not kept: {error}");
                return None;
            }
        };
        let fingerprint = self.executor.fingerprint(definition, key).await;
        let fingerprint = fingerprint
            .inspect_err(|error| tracing::debug!("a result is not kept: {}", error.message))
            .ok()?;
        let mut hash = Sha256::new();
        for part in [
            env!("CARGO_PKG_VERSION"),
            &definition.digest,
            definition.executor.name(),
            &fingerprint,
            params,
        ] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let file = cache::hex(&hash.finalize());
        if !cache.is_read() {
            return Some(Kept { file, result: None });
        }
        let looking = permit::blocking(move || {
            let result = cache.get(&file);
            Kept { file, result }
        });
        looking.await.ok()
    }

    async fn keep(&self, definition: &Definition, name: &str, file: String, result: &str) {
        let (Some(cache), Some(ttl)) = (self.cache.clone(), definition.reuse.cache) else {
            return;
        };
        let (name, result) = (name.to_owned(), result.to_owned());
        let keeping = permit::blocking(move || cache.put(&file, &name, &result, ttl.duration()));
        if let Ok(Err(error)) = keeping.await {
            tracing::warn!("results are not kept: {error}");
        }
    }

    /// Checks a result.
    async fn bound(
        &self,
        definition: &Arc<Definition>,
        stdout: Vec<u8>,
    ) -> Result<String, ActionError> {
        if !json::is_large(stdout.len()) {
            return documents::bound(definition.contract.returns.as_deref(), stdout);
        }
        let (definition, size) = (definition.clone(), stdout.len());
        let checking = move || documents::bound(definition.contract.returns.as_deref(), stdout);
        Box::pin(aside(size, checking)).await
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
            Some(pattern) => {
                let message = format!("denied by the policy (deny {})", pattern.as_str());
                Err(ActionError::new(ErrorKind::Denied, message))
            }
        }
    }
}

/// A call until it has ended: then, however that was, it is recorded.
struct Recording<'a> {
    /// As it can be shown.
    name: String,
    digest: String,
    start: Instant,
    runner: Option<&'static str>,
    /// How it ended; a call that is dropped was abandoned.
    failed: Option<ErrorKind>,
    doing: SpanGuard,
    keep: &'a (dyn Fn(Record) + Send + Sync),
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let record = Record {
            name: std::mem::take(&mut self.name),
            digest: std::mem::take(&mut self.digest),
            runner: self.runner,
            failed: self.failed,
            started: self.start,
            duration: self.start.elapsed(),
        };
        self.doing
            .outcome(record.failed.map_or("ok", ErrorKind::name));
        tracing::info!(
            target: "kael::action",
            name = record.name,
            params = record.digest,
            outcome = record.failed.map_or("ok", ErrorKind::name),
            ms = record.duration.as_millis() as u64,
        );
        (self.keep)(record);
    }
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

/// A number from 0 to 1 that nobody can foresee.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(0_u64) >> 11) as f64 / (1_u64 << 53) as f64
}

fn digest_of(params: &str) -> String {
    cache::hex(&Sha256::digest(params.as_bytes())[..8])
}

/// For the fuzz targets: whether a text is a document, and parameters merged by hand.
#[cfg(fuzzing)]
pub mod fuzzing {
    use serde_json::{Map, Value};

    /// Whether the gate takes the document.
    pub fn check(text: &str) -> Result<(), String> {
        let looked = crate::json::check(text);
        looked.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Parameters over defaults.
    pub fn merge(
        defaults: &Map<String, Value>,
        params: &str,
        locked: &Map<String, Value>,
    ) -> Result<String, String> {
        let look = crate::json::check(params).map_err(|error| error.to_string())?;
        let params =
            super::documents::canonical(params.to_owned(), &look).map_err(|error| error.message)?;
        super::merge::merge(defaults, &params, locked).map_err(|error| format!("{error:?}"))
    }
}

/// A name that a hostile guest may have made up, cut to what a line can hold.
fn shown(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 100 && name.bytes().all(plain) {
        return name.to_owned();
    }
    let mut shown: String = name
        .chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(100).is_some() {
        shown.push_str("...");
    }
    shown
}
