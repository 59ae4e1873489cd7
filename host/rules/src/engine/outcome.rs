//! A batch of events, and what one rule said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kael_engine::sandbox::Verdict;

use crate::event::Event;

/// Events that are evaluated together.
pub(super) struct Batch {
    pub(super) events: Vec<Arc<Event>>,
}

impl Batch {
    pub(super) fn new(events: Vec<Event>) -> Self {
        Self {
            events: events.into_iter().map(Arc::new).collect(),
        }
    }

    /// The places of the events of some types, or of all.
    pub(super) fn of_types(&self, types: Option<&BTreeSet<u32>>) -> Vec<usize> {
        let wanted = |at: &usize| types.is_none_or(|types| types.contains(&self.events[*at].kind));
        (0..self.events.len()).filter(wanted).collect()
    }
}

/// An event that a rule said something of.
pub(super) struct Said {
    /// Its place in the batch.
    pub(super) event: usize,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) captures: Option<Result<String, String>>,
}

/// What one rule said of a batch.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) rule: usize,
    pub(super) matches: Vec<Said>,
    pub(super) evaluations: u64,
    pub(super) matched: u64,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) restarts: u64,
    pub(super) time: Duration,
    pub(super) memory: u64,
    pub(super) unknown_fields: u64,
    pub(super) skipped: u64,
    pub(super) disabled: bool,
}
