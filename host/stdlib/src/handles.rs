//! What scripts have opened and know by handles, such as streams and sockets. A handle is of one run. A run has few of
//! them. Each is closed when its run is over, or when no call has used it for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use kael_engine::failure::ActionError;
use kael_engine::run_info::RunInfo;

/// Handles of one run, and of all.
const MAX_OF_RUN: usize = 16;
const MAX: usize = 256;
/// How often it is looked which runs are over.
const EVERY: Duration = Duration::from_secs(2);

/// Those of the scripts of one repo.
pub(crate) struct Handles<T> {
    held: Arc<Held<T>>,
    /// What they are, in words: `streams`.
    what: &'static str,
    /// How long one is kept that no call is about.
    idle: Duration,
    count: AtomicU64,
}

struct Held<T> {
    slots: Mutex<HashMap<String, Slot<T>>>,
    /// Something closes them when it is time.
    is_watched: AtomicBool,
}

/// What a handle stands for; nothing while a call opens it or has it.
struct Slot<T> {
    run: Weak<RunInfo>,
    since: Instant,
    thing: Option<T>,
}

/// A handle whose thing a call opens or has. Dropping this gives the handle up.
pub(crate) struct Place<T> {
    held: Arc<Held<T>>,
    handle: String,
    is_kept: bool,
}

impl<T> Slot<T> {
    fn is_of(&self, run: &Arc<RunInfo>) -> bool {
        self.run.as_ptr() == Arc::as_ptr(run)
    }
}

impl<T> Held<T> {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Slot<T>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Handles<T> {
    pub(crate) fn new(what: &'static str, idle: Duration) -> Self {
        Self {
            held: Arc::new(Held {
                slots: Mutex::default(),
                is_watched: AtomicBool::new(false),
            }),
            what,
            idle,
            count: AtomicU64::new(0),
        }
    }

    /// A handle for what a run is about to open, which counts from now on.
    pub(crate) fn reserve(&self, run: &Arc<RunInfo>) -> Result<Place<T>, ActionError> {
        let mut held = self.held.locked();
        held.retain(|_, slot| slot.run.strong_count() > 0);
        let own = held.values().filter(|slot| slot.is_of(run)).count();
        if own >= MAX_OF_RUN {
            let message = format!("a run has at most {MAX_OF_RUN} {} that are open", self.what);
            let hint = "close one first".to_owned();
            return Err(ActionError::unavailable(message, Some(hint)));
        }
        if held.len() >= MAX {
            let message = format!("all runs have {MAX} {} that are open", self.what);
            return Err(ActionError::unavailable(message, None));
        }
        let handle = format!("{}-{}", run.id, self.count.fetch_add(1, Ordering::Relaxed));
        let slot = Slot {
            run: Arc::downgrade(run),
            since: Instant::now(),
            thing: None,
        };
        held.insert(handle.clone(), slot);
        drop(held);
        self.watch();
        Ok(Place {
            held: self.held.clone(),
            handle,
            is_kept: false,
        })
    }

    /// Takes what a handle of a run stands for, unless another call has it.
    pub(crate) fn take(&self, handle: &str, run: &Arc<RunInfo>) -> Option<(T, Place<T>)> {
        let mut held = self.held.locked();
        let slot = held.get_mut(handle).filter(|slot| slot.is_of(run))?;
        let thing = slot.thing.take()?;
        let place = Place {
            held: self.held.clone(),
            handle: handle.to_owned(),
            is_kept: false,
        };
        Some((thing, place))
    }

    /// Closes what nobody uses and what is of runs that are over, until nothing is left.
    fn watch(&self) {
        if self.held.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let (held, idle) = (Arc::downgrade(&self.held), self.idle);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY.min(idle / 4)).await;
                let Some(all) = held.upgrade() else {
                    return;
                };
                let is_used = |slot: &Slot<T>| slot.thing.is_none() || slot.since.elapsed() < idle;
                let is_there = |slot: &Slot<T>| slot.run.strong_count() > 0 && is_used(slot);
                let mut slots = all.locked();
                slots.retain(|_, slot| is_there(slot));
                if slots.is_empty() {
                    // Under the lock: who reserves a place after this begins another watch.
                    all.is_watched.store(false, Ordering::Relaxed);
                    return;
                }
            }
        });
    }
}

impl<T: Clone> Handles<T> {
    /// What a handle of a run stands for, for one of several calls at a time.
    pub(crate) fn get(&self, handle: &str, run: &Arc<RunInfo>) -> Option<T> {
        let mut held = self.held.locked();
        let slot = held.get_mut(handle).filter(|slot| slot.is_of(run))?;
        slot.since = Instant::now();
        slot.thing.clone()
    }

    /// Gives a handle up.
    pub(crate) fn remove(&self, handle: &str) {
        self.held.locked().remove(handle);
    }
}

impl<T> Place<T> {
    /// Keeps what the handle stands for from now on. Returns the handle.
    pub(crate) fn keep(mut self, thing: T) -> String {
        if let Some(slot) = self.held.locked().get_mut(&self.handle) {
            slot.since = Instant::now();
            slot.thing = Some(thing);
        }
        self.is_kept = true;
        self.handle.clone()
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.held.locked().remove(&self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use kael_engine::run_info::Tenant;

    use super::*;

    fn run() -> Arc<RunInfo> {
        RunInfo::new(Tenant::default())
    }

    #[tokio::test]
    async fn a_handle_is_of_one_run_and_counts_while_it_is_opened() {
        let handles = Handles::<u8>::new("things", Duration::from_secs(60));
        let (a, b) = (run(), run());
        let mut places: Vec<_> = (0..MAX_OF_RUN)
            .map(|_| handles.reserve(&a).expect("room"))
            .collect();
        let refused = handles.reserve(&a).map(drop).expect_err("no room");
        assert!(refused.message.contains("at most 16 things"), "{refused:?}");
        let of_another = handles.reserve(&b).expect("room").keep(7);
        assert!(handles.take(&of_another, &a).is_none());
        assert_eq!(handles.get(&of_another, &a), None);
        assert_eq!(handles.get(&of_another, &b), Some(7));
        // One that could not be opened leaves its place.
        places.pop();
        let handle = handles.reserve(&a).expect("room").keep(1);
        let (thing, place) = handles.take(&handle, &a).expect("it is there");
        assert_eq!((thing, handles.take(&handle, &a).is_none()), (1, true));
        assert!(handles.reserve(&a).is_err(), "it still counts");
        assert_eq!(place.keep(2), handle);
        assert_eq!(handles.get(&handle, &a), Some(2));
        drop(handles.take(&handle, &a));
        assert_eq!(handles.get(&handle, &a), None);
    }

    #[tokio::test]
    async fn what_is_of_runs_that_are_over_takes_no_room() {
        let handles = Handles::<u8>::new("things", Duration::from_secs(600));
        let all: Vec<_> = (0..MAX / MAX_OF_RUN).map(|_| run()).collect();
        for one in &all {
            for _ in 0..MAX_OF_RUN {
                handles.reserve(one).expect("room").keep(1);
            }
        }
        let (last, refused) = (run(), "all runs have 256 things that are open");
        let full = handles.reserve(&last).map(drop).expect_err("no room");
        assert_eq!(full.message, refused);
        drop(all);
        assert!(handles.reserve(&last).is_ok());
    }

    #[tokio::test]
    async fn what_no_call_uses_or_has_no_run_is_closed() {
        let of_a_run = run();
        for (idle, run_ends) in [(20, false), (600_000, true)] {
            let handles = Handles::<Arc<()>>::new("things", Duration::from_millis(idle));
            let thing = Arc::new(());
            let other = run();
            let of = if run_ends { &other } else { &of_a_run };
            handles.reserve(of).expect("room").keep(thing.clone());
            drop(other);
            let until = Instant::now() + Duration::from_secs(60);
            while Arc::strong_count(&thing) > 1 {
                assert!(Instant::now() < until);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
