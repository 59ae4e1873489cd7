//! Follows a call from its beginning to its end: then it is recorded, however it ended.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use super::audit::{AuditLog, AuditedCall};
use super::observer::{CallStart, Observer};
use super::record::Record;
use crate::activity::SpanGuard;
use crate::catalog::Definition;
use crate::failure::ErrorKind;
use crate::policy::Decision;
use crate::run_info::RunInfo;
use crate::text::hex;

/// What the steps of a call note for its record.
#[derive(Default)]
pub(super) struct Noted {
    /// The SHA-256 of the merged parameters.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) decision: Option<Decision>,
    /// What was called, where there is an audit log.
    pub(super) definition: Option<Arc<Definition>>,
    /// The number of the last attempt that began.
    pub(super) attempts: AtomicU32,
    /// Of the result.
    pub(super) bytes: Option<usize>,
}

/// A call until it has ended: then, however that was, it is recorded.
pub(super) struct Recording<'a> {
    pub(super) run: &'a Arc<RunInfo>,
    pub(super) call: u64,
    /// As it can be shown.
    pub(super) name: String,
    pub(super) noted: Noted,
    pub(super) audit: Option<&'a AuditLog>,
    pub(super) start: Instant,
    pub(super) runner: Option<&'static str>,
    /// How it ended; a call that is dropped was abandoned.
    pub(super) failed: Option<ErrorKind>,
    pub(super) span: SpanGuard,
    pub(super) observer: Option<&'a dyn Observer>,
    pub(super) keep: &'a (dyn Fn(Record) + Send + Sync),
}

impl Recording<'_> {
    /// Tells the observer that the call begins.
    pub(super) fn begins(&self) {
        if let Some(observer) = self.observer {
            observer.call_begins(&CallStart {
                run: self.run.clone(),
                call: self.call,
                name: self.name.clone(),
                started: self.start,
            });
        }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let noted = &mut self.noted;
        let record = Record {
            run: self.run.clone(),
            call: self.call,
            name: std::mem::take(&mut self.name),
            digest: noted
                .digest
                .map_or_else(String::new, |digest| hex(&digest[..8])),
            decision: noted.decision.take(),
            runner: self.runner,
            attempts: *noted.attempts.get_mut(),
            failed: self.failed,
            started: self.start,
            duration: self.start.elapsed(),
        };
        self.span
            .outcome(record.failed.map_or("ok", ErrorKind::name));
        tracing::info!(
            target: "kael::action",
            name = record.name,
            params = record.digest,
            outcome = record.failed.map_or("ok", ErrorKind::name),
            ms = record.duration.as_millis() as u64,
        );
        if let Some(decision) = &record.decision {
            self.span.decided(&decision.source);
        }
        if let Some(audit) = self.audit {
            let definition = self.noted.definition.as_ref();
            let run = self.run.id.to_string();
            let call = AuditedCall {
                run: &run,
                call: self.call,
                tenant: self.run.tenant.as_str(),
                definition: definition.map(|definition| definition.digest.as_str()),
                effects: definition.map(|definition| definition.effects.kind.name()),
                params: self.noted.digest,
                bytes: self.noted.bytes,
                attempts: record.attempts,
                action: &record.name,
                decision: record.decision.as_ref(),
                failed: record.failed,
                duration: record.duration,
            };
            if let Err(error) = audit.add(&call) {
                tracing::error!("a call of {} is not in the audit log: {error}", record.name);
            }
        }
        if let Some(observer) = self.observer {
            observer.call_ends(&record);
        }
        (self.keep)(record);
    }
}
