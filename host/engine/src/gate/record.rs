//! The record of a call: made when the call begins, and complete when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::audit::{AuditLog, AuditedCall};
use super::cache::hex;
use crate::activity::SpanGuard;
use crate::catalog::Definition;
use crate::failure::ErrorKind;
use crate::policy::Decision;

/// One call, for the record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name that was asked for.
    pub name: String,
    /// The start of the SHA-256 of the merged parameters, in hexadecimal; empty when they were never merged.
    pub digest: String,
    /// What the rules of the policy said of it; none when there are no rules, or it never came to them.
    pub decision: Option<Decision>,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
    /// When its turn came.
    pub started: Instant,
    /// From then to its outcome.
    pub duration: Duration,
}

/// What the steps of a call note for its record.
#[derive(Default)]
pub(super) struct Noted {
    /// The SHA-256 of the merged parameters.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) decision: Option<Decision>,
    /// What was called, where there is an audit log.
    pub(super) definition: Option<Arc<Definition>>,
    /// Of the result.
    pub(super) bytes: Option<usize>,
}

/// A call until it has ended: then, however that was, it is recorded.
pub(super) struct Recording<'a> {
    /// As it can be shown.
    pub(super) name: String,
    pub(super) noted: Noted,
    pub(super) audit: Option<&'a AuditLog>,
    pub(super) run: &'a str,
    pub(super) number: u64,
    pub(super) start: Instant,
    /// How it ended; a call that is dropped was abandoned.
    pub(super) failed: Option<ErrorKind>,
    pub(super) doing: SpanGuard,
    pub(super) keep: &'a (dyn Fn(Record) + Send + Sync),
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let noted = &mut self.noted;
        let record = Record {
            name: std::mem::take(&mut self.name),
            digest: noted
                .digest
                .map_or_else(String::new, |digest| hex(&digest[..8])),
            decision: noted.decision.take(),
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
        if let Some(decision) = &record.decision {
            self.doing.decided(&decision.source);
        }
        if let Some(audit) = self.audit {
            let definition = self.noted.definition.as_ref();
            let call = AuditedCall {
                run: self.run,
                call: self.number,
                tenant: super::TENANT,
                definition: definition.map(|definition| definition.digest.as_str()),
                effects: definition.map(|definition| definition.effects.kind.name()),
                params: self.noted.digest,
                bytes: self.noted.bytes,
            };
            if let Err(error) = audit.add(&call, &record) {
                tracing::error!("a call of {} is not in the audit log: {error}", record.name);
            }
        }
        (self.keep)(record);
    }
}

/// A name that a hostile guest may have made up, cut to what a line can hold.
pub(super) fn shown(name: &str) -> String {
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
