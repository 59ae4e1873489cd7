//! Counts the calls that a journal answers in the budgets of the run, as they were counted when they were made.
//!
//! A run that goes on has what it had left, and no more: a budget that began anew with every attempt would bound nothing.

use super::InstanceState;
use super::wire::error_of;
use crate::journal::{Outcome, Recovered};

/// What a call asked for.
pub(super) struct Pending {
    pub(super) name: String,
    pub(super) params: String,
    pub(super) number: u64,
}

impl InstanceState {
    /// Counts a call that has ended, and whose end its run has got or will get out of the journal.
    pub(super) fn passed(&self, name: &str, params: &str, outcome: &Outcome) {
        let failed = outcome.as_ref().err().map(error_of);
        if let Some(gate) = &self.dispatcher {
            gate.passed(name, params, failed.as_ref());
        }
    }

    /// Counts a call that the script has cancelled, unless the journal shows that it was never begun. Of what changes
    /// nothing it does not: in doubt it was.
    pub(super) fn passed_cancelled(&self, call: &Pending, known: Option<&Recovered>) {
        let Some(gate) = &self.dispatcher else {
            return;
        };
        let ended = known.and_then(|known| known.outcome.as_ref());
        match ended {
            Some((_, outcome)) => self.passed(&call.name, &call.params, outcome),
            None => {
                let begun = known.is_some_and(|known| known.intent.is_some());
                if begun || !gate.has_effects(&call.name) {
                    gate.passed(&call.name, &call.params, None);
                }
            }
        }
    }
}
