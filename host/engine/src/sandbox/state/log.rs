//! What a call writes into the journal of its run, where there is one.

use std::time::Duration;

use super::Outcome;
use super::journaled::recorded;
use crate::journal::{CallLog, Outcome as Recorded};

/// How a call ended.
pub(super) fn ended(log: Option<&CallLog>, outcome: &Outcome, duration: Duration, is_effect: bool) {
    if let Some(log) = log {
        log.outcome(recorded(outcome), duration, is_effect);
    }
}

/// How a call ended before this attempt: in that entry, or as a person has said.
pub(super) fn known(log: Option<&CallLog>, seq: Option<u64>, outcome: &Recorded) {
    match (log, seq) {
        (Some(log), Some(seq)) => log.recorder.known(log.id, seq),
        (Some(log), None) => log.outcome(outcome.clone(), Duration::ZERO, true),
        (None, _) => {}
    }
}
