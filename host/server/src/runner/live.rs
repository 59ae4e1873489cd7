//! How readers follow a run: from the store as far as they are behind, and then from memory.
//!
//! An event is published after it is durable. A reader that has seen event `n` asks for what is behind
//! `n`, and waits when there is nothing: so no event is lost or seen twice, however slow a reader is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use kael_store::{Store, StoreError};
use tokio::sync::watch;

use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::events;

/// Events and bytes of a run that are kept in memory while it runs.
const MAX_EVENTS: usize = 1000;
const MAX_BYTES: usize = 512 << 10;
/// Events that are read from the store at once.
const PAGE: i64 = 200;

/// The runs that are followed, or that run.
#[derive(Default)]
pub(crate) struct Lives(Mutex<HashMap<Id, Weak<Live>>>);

/// The newest events of one run.
pub(crate) struct Live {
    ring: Mutex<Ring>,
    latest: watch::Sender<i64>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl Lives {
    /// The place where a run's events are published, for as long as somebody holds it.
    pub(crate) fn open(&self, run: Id) -> Arc<Live> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = all.get(&run).and_then(Weak::upgrade) {
            return live;
        }
        if all.len() >= 256 && all.len().is_power_of_two() {
            all.retain(|_, live| live.strong_count() > 0);
        }
        let live = Arc::new(Live {
            ring: Mutex::default(),
            latest: watch::Sender::new(-1),
        });
        all.insert(run, Arc::downgrade(&live));
        live
    }

    /// The same, if somebody holds it.
    pub(crate) fn find(&self, run: &Id) -> Option<Arc<Live>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(run).and_then(Weak::upgrade)
    }

    /// Publishes an event of a run that this process does not run, if somebody follows it.
    pub(crate) fn publish(&self, run: &Id, event: Event) {
        if let Some(live) = self.find(run) {
            live.publish([Arc::new(event)]);
        }
    }
}

impl Live {
    /// Publishes events that are durable, in their order.
    pub(crate) fn publish(&self, events: impl IntoIterator<Item = Arc<Event>>) {
        let mut last = None;
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events {
                // A gap would be one for readers, too: they find the rest in the store.
                let follows = ring
                    .events
                    .back()
                    .is_none_or(|back| back.seq + 1 == event.seq);
                if !follows {
                    ring.events.clear();
                    ring.bytes = 0;
                }
                last = Some(event.seq);
                ring.bytes += event.body.len();
                ring.events.push_back(event);
            }
            while ring.events.len() > MAX_EVENTS || ring.bytes > MAX_BYTES {
                let Some(old) = ring.events.pop_front() else {
                    break;
                };
                ring.bytes -= old.body.len();
            }
        }
        if let Some(last) = last {
            self.latest
                .send_modify(|latest| *latest = last.max(*latest));
        }
    }

    /// Tells when there is something new.
    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.latest.subscribe()
    }

    /// The events behind `seq`; none if memory does not go back as far.
    fn after(&self, seq: i64) -> Option<Vec<Arc<Event>>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.events.front()?.seq;
        if first > seq + 1 {
            return None;
        }
        let skip = usize::try_from(seq + 1 - first).unwrap_or(0);
        Some(ring.events.iter().skip(skip).cloned().collect())
    }

    /// The kind of the newest event that was published here; none if there was none yet.
    pub(crate) fn newest(&self) -> Option<Kind> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.events.back().map(|event| event.kind)
    }

    /// The events behind `seq`, a page of them: from memory or from the store.
    pub(crate) async fn read(
        &self,
        store: &Store,
        run: Id,
        seq: i64,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        if let Some(events) = self.after(seq) {
            return Ok(events);
        }
        let events = store
            .read(move |tx| events::after(tx, &run, seq, PAGE))
            .await?;
        Ok(events.into_iter().map(Arc::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, bytes: usize) -> Arc<Event> {
        Arc::new(Event {
            seq,
            at: 0,
            kind: Kind::Output,
            offset: 0,
            body: vec![b'x'; bytes],
        })
    }

    fn numbers(live: &Live, seq: i64) -> Option<Vec<i64>> {
        live.after(seq)
            .map(|events| events.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn a_reader_gets_what_is_behind_what_it_has() {
        let lives = Lives::default();
        let live = lives.open(Id::new());
        assert_eq!(numbers(&live, -1), None);
        live.publish([event(3, 1), event(4, 1)]);
        assert_eq!(numbers(&live, 1), None);
        assert_eq!(numbers(&live, 2), Some(vec![3, 4]));
        assert_eq!(numbers(&live, 3), Some(vec![4]));
        assert_eq!(numbers(&live, 4), Some(vec![]));
        // A gap is not papered over.
        live.publish([event(9, 1)]);
        assert_eq!(numbers(&live, 4), None);
        assert_eq!(*live.watch().borrow(), 9);
    }

    #[test]
    fn memory_is_bounded() {
        let live = Lives::default().open(Id::new());
        live.publish((0..2000).map(|seq| event(seq, 1)));
        assert_eq!(numbers(&live, 999), Some((1000..2000).collect()));
        assert_eq!(numbers(&live, 998), None);
        live.publish([event(2000, MAX_BYTES)]);
        assert_eq!(numbers(&live, 1999), Some(vec![2000]));
        assert_eq!(numbers(&live, 1998), None);
    }
}
