//! What happens to matches before they are alerts: nothing, a threshold or a sequence, and then a
//! throttle. All of it is in the host; predicates only say which events match.

mod key;
mod sequence;
mod threshold;
mod throttle;

use std::sync::Arc;

use kael_engine::sandbox::Verdict;

use crate::event::Event;
use crate::package::Manifest;
use crate::schema::Schema;
use sequence::SequenceState;
use threshold::ThresholdState;
use throttle::ThrottleState;

/// What a rule said of an event.
#[derive(Debug, Clone)]
pub struct Match {
    /// The event.
    pub event: Arc<Event>,
    /// By function.
    pub verdicts: Vec<Verdict>,
    /// The captures as JSON, or why there are none.
    pub captures: Option<Result<String, String>>,
}

impl Match {
    fn emitted(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.emitted)
    }
}

/// An alert before it is written.
#[derive(Debug, Clone)]
pub struct Found {
    /// `single_event`, `threshold`, `sequence` or `throttled`.
    pub rule_type: &'static str,
    /// The events that it is about; the last one gave rise to it.
    pub events: Vec<Arc<Event>>,
    /// The captures of the last event, or why there are none.
    pub captures: Option<Result<String, String>>,
    /// Whether the predicate called `alert_emit`.
    pub emitted: bool,
    /// How many matches or alerts it stands for.
    pub count: u64,
}

/// Counts of what did not become an alert of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Alerts that the throttle counted instead.
    pub suppressed: u64,
    /// Events that came after the end of their window.
    pub late: u64,
    /// Keys that went out because there were too many.
    pub evicted: u64,
}

/// What a rule remembers of its matches.
pub struct After {
    kind: Kind,
    throttle: Option<ThrottleState>,
    /// Counts so far.
    pub held: Held,
}

enum Kind {
    Single,
    Threshold(ThresholdState),
    Sequence(SequenceState),
}

impl After {
    /// For a rule.
    #[must_use]
    pub fn new(manifest: &Manifest, schema: &Schema) -> Self {
        let kind = if let Some(threshold) = &manifest.threshold {
            Kind::Threshold(ThresholdState::new(threshold, schema))
        } else if let Some(sequence) = &manifest.sequence {
            Kind::Sequence(SequenceState::new(sequence, schema))
        } else {
            Kind::Single
        };
        let throttle = manifest.throttle.as_ref();
        Self {
            kind,
            throttle: throttle.map(|throttle| ThrottleState::new(throttle, schema)),
            held: Held::default(),
        }
    }

    /// Divides what sequences remember among so many rules that have one.
    pub fn share_keys(&mut self, rules: usize) {
        if let Kind::Sequence(state) = &mut self.kind {
            state.share(rules, &mut self.held);
        }
    }

    /// The alerts that a match gives.
    pub fn take(&mut self, matched: Match) -> Vec<Found> {
        let emitted = matched.emitted();
        let found = match &mut self.kind {
            Kind::Single => Some(Found {
                rule_type: "single_event",
                events: vec![matched.event],
                captures: matched.captures,
                emitted,
                count: 1,
            }),
            Kind::Threshold(state) => state.take(matched, &mut self.held),
            Kind::Sequence(state) => state.take(matched, &mut self.held),
        };
        match (&mut self.throttle, found) {
            (Some(throttle), Some(found)) => throttle.take(found, &mut self.held),
            (_, found) => found.into_iter().collect(),
        }
    }

    /// What is still to be written at the end.
    pub fn finish(&mut self) -> Vec<Found> {
        self.throttle
            .as_mut()
            .map_or_else(Vec::new, ThrottleState::finish)
    }
}

#[cfg(test)]
mod tests;
