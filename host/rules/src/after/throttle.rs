//! One alert of a key in a period; the others are counted.

use std::collections::{HashMap, VecDeque};

use super::key::{key, slots};
use super::{Found, Held};
use crate::package::Throttle;
use crate::schema::Schema;

/// Keys that are remembered.
const MAX_KEYS: usize = 100_000;

pub(super) struct ThrottleState {
    slots: Vec<usize>,
    period: i64,
    keys: HashMap<Vec<u8>, Key>,
    /// Keys in the order of their periods, with the number of the period.
    order: VecDeque<(Vec<u8>, u64)>,
    periods: u64,
}

struct Key {
    until: i64,
    period: u64,
    suppressed: u64,
    last: Option<Found>,
}

impl ThrottleState {
    pub(super) fn new(throttle: &Throttle, schema: &Schema) -> Self {
        Self {
            slots: slots(&throttle.by, schema),
            period: nanoseconds(throttle.period_ms),
            keys: HashMap::new(),
            order: VecDeque::new(),
            periods: 0,
        }
    }

    /// The alert, unless its key had one in this period; and what a key that went out has counted.
    pub(super) fn take(&mut self, mut found: Found, held: &mut Held) -> Vec<Found> {
        let Some(event) = found.events.last() else {
            return Vec::new();
        };
        let (key, time) = (key(event, &self.slots).0, event.time);
        if let Some(known) = self.keys.get_mut(&key)
            && time < known.until
        {
            known.suppressed += 1;
            held.suppressed += 1;
            known.last = Some(found);
            return Vec::new();
        }
        self.periods += 1;
        let period = Key {
            until: time.saturating_add(self.period),
            period: self.periods,
            suppressed: 0,
            last: None,
        };
        self.order.push_back((key.clone(), self.periods));
        if let Some(before) = self.keys.insert(key, period) {
            found.count += before.suppressed;
        }
        let mut all = vec![found];
        while self.keys.len() > MAX_KEYS {
            let Some((oldest, period)) = self.order.pop_front() else {
                break;
            };
            if self
                .keys
                .get(&oldest)
                .is_some_and(|known| known.period == period)
            {
                held.evicted += 1;
                all.extend(self.keys.remove(&oldest).and_then(Key::counted));
            }
        }
        // Periods that are over leave their places in the order.
        if self.order.len() > 2 * MAX_KEYS {
            let keys = &self.keys;
            let current = |(key, period): &(Vec<u8>, u64)| {
                keys.get(key).is_some_and(|known| known.period == *period)
            };
            self.order.retain(current);
        }
        all
    }

    /// The keys that have counted alerts.
    pub(super) fn finish(&mut self) -> Vec<Found> {
        let mut keys: Vec<Key> = self.keys.drain().map(|(_, key)| key).collect();
        keys.sort_by_key(|key| key.period);
        keys.into_iter().filter_map(Key::counted).collect()
    }
}

impl Key {
    fn counted(self) -> Option<Found> {
        let last = self.last?;
        Some(Found {
            rule_type: "throttled",
            count: self.suppressed,
            ..last
        })
    }
}

pub(super) fn nanoseconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000)
}
