//! Runs what is queued: claims runs by fair shares, runs them through the gate, and keeps their events.

pub(crate) mod claim;
mod claimed;
pub(crate) mod ending;
mod execute;
pub(crate) mod fair;
pub(crate) mod family;
mod journal;
pub(crate) mod live;
pub(crate) mod place;
mod recording;
pub(crate) mod recover;
mod repos;
pub(crate) mod wake;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kael_engine::sandbox::Cancel;
use tokio::sync::Notify;

use crate::id::Id;
use fair::Fair;
use live::Lives;
use repos::Repos;

/// What the runner shares with the rest of the server.
pub(crate) struct Runner {
    fair: Mutex<Fair>,
    /// Wakes the claim loop: a run was queued, or a slot is free.
    pub(crate) wake: Arc<Notify>,
    /// The actions repos of runs.
    pub(crate) repos: Repos,
    /// Where readers follow runs.
    pub(crate) lives: Lives,
    running: Mutex<HashMap<Id, Running>>,
    /// Told whenever a run has ended.
    pub(crate) ended: Notify,
    /// When the claim loop last came around.
    moved: AtomicI64,
    draining: AtomicBool,
}

/// A run that runs in this process.
#[derive(Default)]
struct Running {
    /// None until its script begins.
    cancel: Option<Cancel>,
    /// Who cancelled it.
    by: Option<String>,
    /// Whether the server ends it, because it ends itself.
    ends: bool,
}

impl Running {
    /// The script begins. It may have been cancelled before.
    fn start(&mut self, cancel: Cancel) {
        if self.by.is_some() || self.ends {
            cancel.cancel();
        }
        self.cancel = Some(cancel);
    }
}

impl Runner {
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            fair: Mutex::new(Fair::new(slots)),
            wake: Arc::default(),
            repos: Repos::default(),
            lives: Lives::default(),
            running: Mutex::default(),
            ended: Notify::new(),
            moved: AtomicI64::new(crate::time::now()),
            draining: AtomicBool::new(false),
        }
    }

    /// The shares of the tenants.
    pub(crate) fn fair(&self) -> MutexGuard<'_, Fair> {
        self.fair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Id, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many runs run.
    pub(crate) fn count(&self) -> usize {
        self.running().len()
    }

    /// Cancels a run that runs in this process. False if it does not.
    pub(crate) fn cancel(&self, run: &Id, by: &str) -> bool {
        let mut running = self.running();
        let Some(found) = running.get_mut(run) else {
            return false;
        };
        found.by.get_or_insert_with(|| by.to_owned());
        if let Some(cancel) = &found.cancel {
            cancel.cancel();
        }
        true
    }

    /// Cancels every run, because the server ends.
    pub(crate) fn cancel_all(&self) {
        for run in self.running().values_mut() {
            run.ends = true;
            if let Some(cancel) = &run.cancel {
                cancel.cancel();
            }
        }
    }

    /// No more runs are claimed from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Microseconds since the claim loop last came around.
    pub(crate) fn age(&self) -> i64 {
        crate::time::now() - self.moved.load(Ordering::Relaxed)
    }

    /// Whether the claim loop came around in the last seconds.
    pub(crate) fn moves(&self) -> bool {
        self.age() < 5 * crate::time::SECOND
    }

    fn mark_moved(&self) {
        self.moved.store(crate::time::now(), Ordering::Relaxed);
    }
}
