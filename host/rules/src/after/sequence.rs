//! Matches in an order, as EQL's sequences: for each key at most one pending match in each state.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::key::{key, slots};
use super::throttle::nanoseconds;
use super::{Found, Held, Match};
use crate::event::Event;
use crate::package::Sequence;
use crate::schema::Schema;

/// Keys of a rule that are remembered, and of all rules together.
const MAX_KEYS: usize = 10_000;
const MAX_OF_ALL: usize = 1_000_000;

pub(super) struct SequenceState {
    slots: Vec<usize>,
    steps: usize,
    has_until: bool,
    span: Option<i64>,
    keys: HashMap<Vec<u8>, Key>,
    order: VecDeque<(Vec<u8>, u64)>,
    begun: u64,
    /// Keys that are remembered.
    most: usize,
}

struct Key {
    begun: u64,
    /// By how many steps have matched, less one: the events of those steps.
    pending: Vec<Option<Vec<Arc<Event>>>>,
}

impl SequenceState {
    pub(super) fn new(sequence: &Sequence, schema: &Schema) -> Self {
        Self {
            slots: slots(&sequence.by, schema),
            steps: sequence.steps.len(),
            has_until: sequence.until.is_some(),
            span: sequence.maxspan_ms.map(nanoseconds),
            keys: HashMap::new(),
            order: VecDeque::new(),
            begun: 0,
            most: MAX_KEYS,
        }
    }

    /// Has its part of what so many rules remember together.
    pub(super) fn share(&mut self, rules: usize, held: &mut Held) {
        self.most = (MAX_OF_ALL / rules.max(1)).clamp(1, MAX_KEYS);
        self.evict(held);
    }

    pub(super) fn take(&mut self, matched: Match, held: &mut Held) -> Option<Found> {
        let (name, whole) = key(&matched.event, &self.slots);
        if !whole {
            return None;
        }
        let says = |at: usize| {
            matched
                .verdicts
                .get(at)
                .is_some_and(|verdict| verdict.matched)
        };
        if self.has_until && says(self.steps) {
            self.keys.remove(&name);
            return None;
        }
        let mut complete = None;
        let last = self.steps - 1;
        if let Some(known) = self.keys.get_mut(&name) {
            for step in (1..self.steps).rev().filter(|step| says(*step)) {
                let Some(mut events) = known.pending[step - 1].take() else {
                    continue;
                };
                let first = events.first().map_or(0, |event| event.time);
                let span = matched.event.time.saturating_sub(first);
                if self.span.is_some_and(|most| span > most) {
                    continue;
                }
                events.push(matched.event.clone());
                match step == last {
                    true => complete = Some(events),
                    false => known.pending[step] = Some(events),
                }
            }
            if !says(0) && known.pending.iter().all(Option::is_none) {
                self.keys.remove(&name);
            }
        }
        if says(0) {
            self.begin(name, &matched.event, held);
        }
        let emitted = matched.emitted();
        complete.map(|events| Found {
            rule_type: "sequence",
            count: events.len() as u64,
            events,
            captures: matched.captures,
            emitted,
        })
    }

    fn begin(&mut self, name: Vec<u8>, event: &Arc<Event>, held: &mut Held) {
        if !self.keys.contains_key(&name) {
            self.begun += 1;
            self.order.push_back((name.clone(), self.begun));
        }
        let begun = self.begun;
        let known = self.keys.entry(name).or_insert_with(|| Key {
            begun,
            pending: vec![None; self.steps - 1],
        });
        known.pending[0] = Some(vec![event.clone()]);
        self.evict(held);
    }

    /// Forgets the oldest keys, where there are too many.
    fn evict(&mut self, held: &mut Held) {
        while self.keys.len() > self.most {
            let Some((oldest, begun)) = self.order.pop_front() else {
                return;
            };
            if self.keys.get(&oldest).is_some_and(|key| key.begun == begun) {
                self.keys.remove(&oldest);
                held.evicted += 1;
            }
        }
        if self.order.len() > 2 * self.most {
            let keys = &self.keys;
            self.order
                .retain(|(name, begun)| keys.get(name).is_some_and(|key| key.begun == *begun));
        }
    }
}
