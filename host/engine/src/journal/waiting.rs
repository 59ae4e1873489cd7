//! A run whose every open call waits for something far off: its process need not wait with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a run waits in any case before it gives its place up.
const FIRST: Duration = Duration::from_secs(1);

/// A shorter wait is waited for.
const SHORTEST: Duration = Duration::from_secs(10);

/// Things that a pause names.
const MAX_NAMED: usize = 4;

/// What a run waits for while it has no process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pause {
    /// When it goes on in any case, in microseconds since 1970.
    pub until: Option<u64>,
    /// What else it waits for, in words; nothing when that is the time alone.
    pub what: Vec<String>,
}

/// What one call waits for.
#[derive(Debug, Clone)]
struct Awaited {
    /// When it ends in any case.
    until: Option<u64>,
    /// In words; nothing for a sleep.
    what: Option<String>,
}

/// The open calls of a run, and what those that wait are waiting for.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<BTreeMap<u32, Option<Awaited>>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Option<Awaited>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is open.
    pub(crate) fn open(&self, id: u32) {
        self.lock().insert(id, None);
    }

    /// It waits until then, or for ever, for that; a sleep waits for nothing else.
    pub(crate) fn waits(&self, id: u32, until: Option<u64>, what: Option<String>) {
        if let Some(open) = self.lock().get_mut(&id) {
            *open = Some(Awaited { until, what });
        }
    }

    /// It does not wait any more, and is open.
    pub(crate) fn goes_on(&self, id: u32) {
        if let Some(open) = self.lock().get_mut(&id) {
            *open = None;
        }
    }

    /// The script has got it, or cancelled it.
    pub(crate) fn closed(&self, id: u32) {
        self.lock().remove(&id);
    }

    /// What the run waits for, if nothing else is open and that is far off.
    pub(crate) fn far_off(&self) -> Option<Pause> {
        let open = self.lock();
        let mut pause = Pause::default();
        if open.is_empty() {
            return None;
        }
        for one in open.values() {
            let one = one.as_ref()?;
            pause.until = match (pause.until, one.until) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if let Some(what) = one.what.as_ref().filter(|_| pause.what.len() < MAX_NAMED) {
                pause.what.push(what.clone());
            }
        }
        if let Some(next) = pause.until {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            let left = Duration::from_micros(next).checked_sub(now)?;
            if left < SHORTEST {
                return None;
            }
        }
        Some(pause)
    }

    /// Ready when the run need not be waited for, with what it waits for.
    pub(crate) async fn given_up(&self) -> Pause {
        loop {
            tokio::time::sleep(FIRST).await;
            if let Some(pause) = self.far_off() {
                return pause;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gives_its_place_up_only_for_what_comes_much_later() {
        let waiting = Waiting::default();
        assert_eq!(waiting.far_off(), None);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        let due = |seconds: u64| Some((now + Duration::from_secs(seconds)).as_micros() as u64);
        let sleeps = |until| {
            Some(Pause {
                until,
                what: Vec::new(),
            })
        };
        for id in 1..=5 {
            waiting.open(id);
        }
        waiting.closed(5);
        assert_eq!(waiting.far_off(), None);
        waiting.waits(1, due(1000), None);
        waiting.waits(2, due(500), None);
        waiting.closed(4);
        assert_eq!(waiting.far_off(), None, "an action is open");
        waiting.closed(3);
        assert_eq!(waiting.far_off(), sleeps(due(500)));
        waiting.open(4);
        waiting.waits(4, due(5), None);
        assert_eq!(waiting.far_off(), None, "it ends soon");
        waiting.closed(4);
        waiting.closed(2);
        assert_eq!(waiting.far_off(), sleeps(due(1000)));
        // What was closed waits for nothing.
        waiting.waits(2, due(5), None);
        assert_eq!(waiting.far_off(), sleeps(due(1000)));
        waiting.open(6);
        waiting.waits(6, None, Some("the signal `go`".to_owned()));
        waiting.closed(1);
        let pause = waiting.far_off().expect("far off");
        assert_eq!((pause.until, pause.what.len()), (None, 1));
        waiting.goes_on(6);
        assert_eq!(waiting.far_off(), None);
    }
}
