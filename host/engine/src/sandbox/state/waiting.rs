//! A run whose every open call is a sleep that ends much later: its process need not wait with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a run waits in any case before it gives its place up.
const FIRST: Duration = Duration::from_secs(1);

/// A shorter wait is waited for.
const SHORTEST: Duration = Duration::from_secs(10);

/// What a run waits for: its open calls, and when those that sleep end, in microseconds since 1970.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<BTreeMap<u32, Option<u64>>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Option<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is open.
    pub(super) fn open(&self, id: u32) {
        self.lock().insert(id, None);
    }

    /// It sleeps until then.
    pub(super) fn sleeps(&self, id: u32, until: u64) {
        self.lock().insert(id, Some(until));
    }

    /// The script has got it, or cancelled it.
    pub(super) fn closed(&self, id: u32) {
        self.lock().remove(&id);
    }

    /// When the next sleep ends, if nothing else is open and that is far off.
    fn far_off(&self) -> Option<u64> {
        let open = self.lock();
        let next = open.values().copied().min()??;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let left = Duration::from_micros(next).checked_sub(now)?;
        (left >= SHORTEST).then_some(next)
    }

    /// Ready when the run need not be waited for, with the time at which it goes on.
    pub(super) async fn given_up(&self) -> u64 {
        loop {
            tokio::time::sleep(FIRST).await;
            if let Some(due) = self.far_off() {
                return due;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gives_its_place_up_only_for_sleeps_that_end_much_later() {
        let waiting = Waiting::default();
        assert_eq!(waiting.far_off(), None);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        let due = |seconds: u64| (now + Duration::from_secs(seconds)).as_micros() as u64;
        waiting.open(1);
        assert_eq!(waiting.far_off(), None);
        waiting.sleeps(1, due(1000));
        waiting.sleeps(2, due(500));
        assert_eq!(waiting.far_off(), Some(due(500)));
        waiting.open(3);
        assert_eq!(waiting.far_off(), None, "an action is open");
        waiting.closed(3);
        waiting.sleeps(4, due(5));
        assert_eq!(waiting.far_off(), None, "it ends soon");
        waiting.closed(4);
        waiting.closed(2);
        assert_eq!(waiting.far_off(), Some(due(1000)));
    }
}
