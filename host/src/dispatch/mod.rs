//! The gate: every effect of a script passes these steps, in this order.
//!
//! lookup, merge, validate, authorize, run, bound, record. Each is a function of values; only `run` touches the world. The gate
//! does not know that the sandbox exists.

mod merge;
mod policy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use policy::{Pattern, Policy};

use crate::catalog::{Catalog, Definition};
use crate::executor::{Execute, Invocation};
use crate::failure::{ActionError, ErrorKind};
use crate::json;

/// Parameters of one call may have this many bytes, as the script sent them and merged.
const MAX_PARAMS: usize = 64 << 20;

/// Bytes from which on a document is looked at on a thread of its own.
const LARGE: usize = 256 << 10;

/// Answers calls with the actions of one catalog.
pub struct Dispatcher {
    catalog: Arc<Catalog>,
    policy: Policy,
    executor: Arc<dyn Execute>,
}

/// One call, for the record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name that was asked for.
    pub name: String,
    /// The start of the SHA-256 of the merged parameters, in hexadecimal; empty when they were never merged.
    pub digest: String,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
    /// From the call to its outcome, without the time it waited for its turn.
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
        params: &str,
        keep: &(dyn Fn(Record) + Send + Sync),
    ) -> Result<String, ActionError> {
        let mut recording = Recording {
            name,
            digest: String::new(),
            start: Instant::now(),
            failed: Some(ErrorKind::Cancelled),
            keep,
        };
        let outcome = self.steps(name, params, &mut recording.digest).await;
        recording.failed = outcome.as_ref().err().map(|error| error.kind);
        outcome
    }

    async fn steps(
        &self,
        name: &str,
        params: &str,
        digest: &mut String,
    ) -> Result<String, ActionError> {
        let definition = self.lookup(name)?;
        let params = self.merge(definition, name, params).await?;
        *digest = digest_of(&params);
        self.authorize(definition)?;
        let invocation = Invocation { definition, params };
        let stdout = self.executor.execute(invocation).await?;
        self.bound(definition, name, stdout).await
    }

    /// Merges and validates; a large document on a thread of its own, so that other runs are not held up.
    async fn merge(
        &self,
        definition: &Definition,
        name: &str,
        params: &str,
    ) -> Result<String, ActionError> {
        if params.len() < LARGE {
            return merged(definition, params);
        }
        let params = params.to_owned();
        self.aside(name, move |definition| merged(definition, &params))
            .await
    }

    /// Checks a result; a large one on a thread of its own.
    async fn bound(
        &self,
        definition: &Definition,
        name: &str,
        stdout: Vec<u8>,
    ) -> Result<String, ActionError> {
        if stdout.len() < LARGE {
            return bound(definition, stdout);
        }
        self.aside(name, move |definition| bound(definition, stdout))
            .await
    }

    async fn aside<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Definition) -> Result<T, ActionError> + Send + 'static,
    ) -> Result<T, ActionError> {
        let (catalog, name) = (self.catalog.clone(), name.to_owned());
        let working = tokio::task::spawn_blocking(move || match catalog.get(&name) {
            Some(definition) => work(definition),
            None => Err(ActionError::new(ErrorKind::UnknownAction, "no such action")),
        });
        working
            .await
            .unwrap_or_else(|problem| Err(ActionError::unavailable(problem.to_string(), None)))
    }

    fn lookup(&self, name: &str) -> Result<&Definition, ActionError> {
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
    name: &'a str,
    digest: String,
    start: Instant,
    /// How it ended; a call that is dropped was abandoned.
    failed: Option<ErrorKind>,
    keep: &'a (dyn Fn(Record) + Send + Sync),
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let record = Record {
            name: shown(self.name),
            digest: std::mem::take(&mut self.digest),
            failed: self.failed,
            duration: self.start.elapsed(),
        };
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

fn merged(definition: &Definition, params: &str) -> Result<String, ActionError> {
    let invalid = |message: String| ActionError::new(ErrorKind::InvalidParams, message);
    let too_large = || {
        invalid(format!(
            "the parameters are larger than {} MiB",
            MAX_PARAMS >> 20
        ))
    };
    if params.len() > MAX_PARAMS {
        return Err(too_large());
    }
    let bad = |problem: json::JsonError| invalid(format!("bad parameters: {problem}"));
    // Nothing to put under or over them, nothing to hold them to, and nothing in them that could be read in two ways: they go as they came.
    if definition.defaults.is_empty()
        && definition.locked.is_empty()
        && definition.contract.params.is_none()
        && json::is_canonical_object(params.as_bytes()).map_err(bad)?
    {
        return Ok(params.to_owned());
    }
    let params = match json::parse(params.as_bytes()).map_err(bad)? {
        Value::Object(params) => params,
        Value::Array(_) => {
            return Err(invalid(
                "parameters must be a table with names, got a list".to_owned(),
            ));
        }
        _ => return Err(invalid("parameters must be a table with names".to_owned())),
    };
    let merged = merge::merge(&definition.defaults, params, &definition.locked)
        .map_err(|path| invalid(format!("parameter `{path}` is locked by the team")))?;
    let mut merged = Value::Object(merged);
    if let Some(schema) = &definition.contract.params {
        schema
            .check(&mut merged)
            .map_err(|mistakes| invalid(mistakes.told("the parameters", "parameter ")))?;
    }
    let text = merged.to_string();
    if text.len() > MAX_PARAMS {
        Err(too_large())
    } else {
        Ok(text)
    }
}

/// What an action prints is one JSON document, and what its definition promises.
fn bound(definition: &Definition, stdout: Vec<u8>) -> Result<String, ActionError> {
    let bad = |message: String| ActionError::new(ErrorKind::BadOutput, message);
    if stdout.iter().all(u8::is_ascii_whitespace) {
        return Err(bad(
            "printed nothing, and a result is one JSON value on stdout".to_owned(),
        ));
    }
    let no_json = |problem| bad(format!("printed what is not JSON: {problem}"));
    let text = json::check(stdout).map_err(no_json)?;
    if let Some(schema) = &definition.contract.returns {
        let value = json::parse(text.as_bytes()).map_err(no_json)?;
        schema.check_exactly(&value).map_err(|mistakes| {
            bad(format!(
                "returned what its definition does not promise: {}",
                mistakes.told("the result", "")
            ))
        })?;
    }
    Ok(text)
}

fn digest_of(params: &str) -> String {
    let digest = Sha256::digest(params.as_bytes());
    let digits = digest[..8].iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
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
