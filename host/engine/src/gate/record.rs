//! The record of a call: made when the call begins, and complete when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::audit::{AuditLog, AuditedCall};
use super::observer::{CallStart, Observer};
use crate::activity::SpanGuard;
use crate::catalog::Definition;
use crate::failure::ErrorKind;
use crate::policy::Decision;
use crate::run_info::RunInfo;
use crate::text::hex;

/// One call, for the record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The run that made the call, and its tenant.
    pub run: Arc<RunInfo>,
    /// The number of the call in its run, from 1, in the order in which calls began.
    pub call: u64,
    /// The name that was asked for.
    pub name: String,
    /// The start of the SHA-256 of the merged parameters, in hexadecimal; empty when they were never merged.
    pub digest: String,
    /// What the rules of the policy said of it; none when there are no rules, or it never came to them.
    pub decision: Option<Decision>,
    /// What ran it, as reports spell it; none where nothing was run.
    pub runner: Option<&'static str>,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
    /// When its turn came.
    pub started: Instant,
    /// From then to its outcome.
    pub duration: Duration,
}

impl Record {
    /// When the call began, by the time of day.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.run.time_of(self.started)
    }

    /// When the call ended, by the time of day.
    #[must_use]
    pub fn ended_at(&self) -> SystemTime {
        self.run.time_of(self.started + self.duration)
    }
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
