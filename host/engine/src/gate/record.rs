//! The record of a call that has ended.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::failure::ErrorKind;
use crate::policy::Decision;
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
    /// What the rules of the policy said of it; none when there are no rules, or it never came to them.
    pub decision: Option<Decision>,
    /// What ran it, as reports spell it; none where nothing was run.
    pub runner: Option<&'static str>,
    /// The number of the last attempt, from 1; 0 where nothing was run, such as for a result that was kept.
    pub attempts: u32,
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
