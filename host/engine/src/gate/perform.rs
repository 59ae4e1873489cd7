//! Runs an action: a kept result instead, several attempts, and the look at what came back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::{Attempt, Cache, Dispatcher, aside, documents};
use crate::catalog::Definition;
use crate::executor::{CallIdentity, Invocation};
use crate::failure::ActionError;
use crate::permit;
use crate::secrets::HANDLE;
use crate::text::hex;

/// Where a result is kept, and what is there.
struct Kept {
    file: String,
    result: Option<String>,
}

/// A call that is performed.
#[derive(Clone, Copy)]
pub(super) struct Performed<'a> {
    pub(super) name: &'a str,
    /// Its number in its run.
    pub(super) call: u64,
    /// The number of its first attempt here.
    pub(super) first: u32,
    /// Where the number of the last attempt is noted.
    pub(super) attempts: &'a AtomicU32,
}

impl Dispatcher {
    /// Runs an action, or uses a result that is kept.
    pub(super) async fn perform(
        &self,
        definition: &Arc<Definition>,
        performed: Performed<'_>,
        params: String,
    ) -> Result<String, ActionError> {
        let name = performed.name;
        let kept = self.cached(definition, &params).await;
        if let Some(result) = kept.as_ref().and_then(|kept| kept.result.clone()) {
            tracing::debug!("{name}: a kept result is used");
            return Ok(result);
        }
        let result = self.attempts(definition, performed, params).await?;
        if let Some(kept) = kept {
            self.keep(definition, name, kept.file, &result).await;
        }
        Ok(result)
    }

    /// Runs it, again if it fails in a way that its definition has foreseen.
    async fn attempts(
        &self,
        definition: &Arc<Definition>,
        performed: Performed<'_>,
        params: String,
    ) -> Result<String, ActionError> {
        let name = performed.name;
        let mut failed = 0;
        loop {
            let attempt = (performed.call, performed.first + failed);
            performed.attempts.store(attempt.1, Ordering::Relaxed);
            let again = definition
                .reuse
                .retry
                .as_ref()
                .filter(|retry| failed + 1 < retry.attempts);
            let Some(retry) = again else {
                return self.attempt(definition, attempt, params).await;
            };
            let error = match self.attempt(definition, attempt, params.clone()).await {
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

    /// Which call of the run an action answers.
    pub(super) fn identity(&self, call: u64, attempt: u32) -> CallIdentity<'_> {
        CallIdentity {
            run: &self.run,
            call,
            attempt,
        }
    }

    pub(super) async fn attempt(
        &self,
        definition: &Arc<Definition>,
        number: (u64, u32),
        params: String,
    ) -> Result<String, ActionError> {
        if self.run.trace.is_none() {
            return self.attempt_untold(definition, number, params).await;
        }
        let started = Instant::now();
        let outcome = Box::pin(self.attempt_untold(definition, number, params)).await;
        if let Some(observer) = &self.observer {
            observer.attempt_ends(&Attempt {
                run: self.run.clone(),
                call: number.0,
                attempt: number.1,
                started,
                duration: started.elapsed(),
                failed: outcome.as_ref().err().map(|error| error.kind),
            });
        }
        outcome
    }

    async fn attempt_untold(
        &self,
        definition: &Arc<Definition>,
        (number, attempt): (u64, u32),
        params: String,
    ) -> Result<String, ActionError> {
        let identity = self.identity(number, attempt);
        if definition.secrets.is_empty() && !params.contains(HANDLE) && !self.hides(definition) {
            // What most calls are, without the room in their future that the rest would take.
            let invocation = Invocation {
                definition,
                params,
                variables: Vec::new(),
                call: identity,
                grants: self.policy.grants(),
                secrets: &self.secrets,
            };
            let printed = self.executor.execute(invocation).await;
            // Another call may have used a secret meanwhile.
            return self.taken(definition, number, printed).await;
        }
        Box::pin(self.attempt_with_secrets(definition, identity, params)).await
    }

    async fn attempt_with_secrets(
        &self,
        definition: &Arc<Definition>,
        call: CallIdentity<'_>,
        params: String,
    ) -> Result<String, ActionError> {
        let opened = self.open_secrets(definition, params).await?;
        self.secrets.prepare().await;
        self.hide_in_lines();
        let number = call.call;
        let invocation = Invocation {
            definition,
            params: opened.params,
            variables: opened.variables,
            call,
            grants: self.policy.grants(),
            secrets: &self.secrets,
        };
        let printed = self.executor.execute(invocation).await;
        self.taken(definition, number, printed).await
    }

    /// Whether there are values to hide in what an action gives back.
    fn hides(&self, definition: &Definition) -> bool {
        !definition.contract.secret_returns.is_empty() || self.secrets.masks().is_some()
    }

    /// What came back of an attempt, checked and without the values of secrets.
    async fn taken(
        &self,
        definition: &Arc<Definition>,
        call: u64,
        printed: Result<Vec<u8>, ActionError>,
    ) -> Result<String, ActionError> {
        if !self.hides(definition) {
            let bound = self.bound(definition, printed?).await;
            return bound.map_err(|error| self.executor.masked(definition, error));
        }
        let printed = match printed {
            Ok(stdout) => Box::pin(self.without_secrets(definition, call, stdout)).await,
            Err(error) => Err(error),
        };
        let bound = match printed {
            Ok(stdout) => Box::pin(self.bound(definition, stdout))
                .await
                .map_err(|error| self.executor.masked(definition, error)),
            Err(error) => Err(error),
        };
        match self.secrets.masks() {
            Some(masks) => bound.map_err(|error| masks.hide_error(error)),
            None => bound,
        }
    }

    /// Where results of an action are kept, if they are to be.
    pub(super) fn cache_of(&self, definition: &Definition) -> Option<&Cache> {
        definition.reuse.cache?;
        self.cache.as_ref().filter(|cache| !cache.is_off())
    }

    /// Where the result of a call is kept, and the result when it is there. None when it is not to be kept, or cannot
    /// be: a cache is no reason to fail.
    async fn cached(&self, definition: &Definition, params: &str) -> Option<Kept> {
        let cache = self.cache_of(definition)?.clone();
        if Self::are_of_this_run(params) {
            return None;
        }
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
        let file = hex(&hash.finalize());
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
    pub(super) async fn bound(
        &self,
        definition: &Arc<Definition>,
        stdout: Vec<u8>,
    ) -> Result<String, ActionError> {
        if !documents::takes_long(definition.contract.returns.as_deref(), stdout.len()) {
            return documents::bound(definition.contract.returns.as_deref(), stdout);
        }
        let (definition, size) = (definition.clone(), stdout.len());
        let checking = move || documents::bound(definition.contract.returns.as_deref(), stdout);
        Box::pin(aside(size, checking)).await
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(0_u64) >> 11) as f64 / (1_u64 << 53) as f64
}
