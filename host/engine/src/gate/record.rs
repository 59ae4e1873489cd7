//! The record of a call: made when the call begins, and complete when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::observer::{CallStart, Observer};
use crate::activity::SpanGuard;
use crate::failure::ErrorKind;
use crate::run_info::RunInfo;

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

/// A call until it has ended: then, however that was, it is recorded.
pub(super) struct Recording<'a> {
    pub(super) run: &'a Arc<RunInfo>,
    pub(super) call: u64,
    /// As it can be shown.
    pub(super) name: String,
    pub(super) digest: String,
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
        let record = Record {
            run: self.run.clone(),
            call: self.call,
            name: std::mem::take(&mut self.name),
            digest: std::mem::take(&mut self.digest),
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
        if let Some(observer) = self.observer {
            observer.call_ends(&record);
        }
        (self.keep)(record);
    }
}
