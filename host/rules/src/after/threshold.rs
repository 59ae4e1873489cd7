//! An alert when so many matches, or different values, lie within a sliding window.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::key::{key, slots};
use super::throttle::nanoseconds;
use super::{Found, Held, Match};
use crate::event::Event;
use crate::package::Threshold;
use crate::schema::Schema;

/// Keys that are remembered, and matches of all keys.
const MAX_KEYS: usize = 100_000;
const MAX_MATCHES: usize = 1_000_000;
/// Events at the start and at the end of those that an alert has.
const SHOWN: usize = 10;

pub(super) struct ThresholdState {
    slots: Vec<usize>,
    /// The slot of the field whose different values count.
    distinct: Option<usize>,
    count: usize,
    window: i64,
    greatest: i64,
    keys: HashMap<Vec<u8>, Key>,
    /// Keys in the order in which they began, with the number of that.
    order: VecDeque<(Vec<u8>, u64)>,
    begun: u64,
    matches: usize,
}

struct Key {
    begun: u64,
    events: VecDeque<(Arc<Event>, Vec<u8>)>,
    /// How often each different value lies in the window.
    values: HashMap<Vec<u8>, usize>,
}

impl ThresholdState {
    pub(super) fn new(threshold: &Threshold, schema: &Schema) -> Self {
        let distinct = threshold.distinct.as_ref();
        Self {
            slots: slots(&threshold.by, schema),
            distinct: distinct.and_then(|path| schema.slot(path)),
            count: usize::try_from(threshold.count).unwrap_or(usize::MAX),
            window: nanoseconds(threshold.window_ms),
            greatest: i64::MIN,
            keys: HashMap::new(),
            order: VecDeque::new(),
            begun: 0,
            matches: 0,
        }
    }

    pub(super) fn take(&mut self, matched: Match, held: &mut Held) -> Option<Found> {
        let time = matched.event.time;
        self.greatest = self.greatest.max(time);
        if time < self.greatest.saturating_sub(self.window) {
            held.late += 1;
            return None;
        }
        let value = match self.distinct {
            Some(slot) => match key(&matched.event, &[slot]) {
                (value, true) => value,
                (_, false) => return None, // has no value that could differ
            },
            None => Vec::new(),
        };
        let (name, _) = key(&matched.event, &self.slots);
        if !self.keys.contains_key(&name) {
            self.begun += 1;
            self.order.push_back((name.clone(), self.begun));
            let key = Key {
                begun: self.begun,
                events: VecDeque::new(),
                values: HashMap::new(),
            };
            self.keys.insert(name.clone(), key);
            self.evict(held);
        }
        let known = self.keys.get_mut(&name)?;
        let oldest = self.greatest.saturating_sub(self.window);
        while known
            .events
            .front()
            .is_some_and(|(event, _)| event.time <= oldest)
        {
            if let Some((_, value)) = known.events.pop_front() {
                known.forget(&value);
                self.matches -= 1;
            }
        }
        *known.values.entry(value.clone()).or_default() += 1;
        known.events.push_back((matched.event.clone(), value));
        self.matches += 1;
        let reached = match self.distinct {
            Some(_) => known.values.len(),
            None => known.events.len(),
        };
        if reached < self.count {
            return None;
        }
        let key = self.keys.remove(&name)?;
        self.matches -= key.events.len();
        let count = key.events.len();
        let events = key.events.into_iter().enumerate();
        let shown = events.filter(|(at, _)| *at < SHOWN || *at + SHOWN >= count);
        Some(Found {
            rule_type: "threshold",
            events: shown.map(|(_, (event, _))| event).collect(),
            emitted: matched.emitted(),
            captures: matched.captures,
            count: count as u64,
        })
    }

    fn evict(&mut self, held: &mut Held) {
        while self.keys.len() > MAX_KEYS || self.matches > MAX_MATCHES {
            let Some((oldest, begun)) = self.order.pop_front() else {
                return;
            };
            if self.keys.get(&oldest).is_some_and(|key| key.begun == begun)
                && let Some(key) = self.keys.remove(&oldest)
            {
                self.matches -= key.events.len();
                held.evicted += 1;
            }
        }
        if self.order.len() > 2 * MAX_KEYS {
            let keys = &self.keys;
            self.order
                .retain(|(name, begun)| keys.get(name).is_some_and(|key| key.begun == *begun));
        }
    }
}

impl Key {
    fn forget(&mut self, value: &[u8]) {
        if let Some(times) = self.values.get_mut(value) {
            *times -= 1;
            if *times == 0 {
                self.values.remove(value);
            }
        }
    }
}
