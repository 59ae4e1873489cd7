//! A process that can die: after its point nothing that it does is durable, and nothing reaches the world.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kael_store::{Mode, Pending, Store, StoreError, Tx};
use tokio::sync::watch;

/// One life: counts the points that it passes, and dies at one of them.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Inner>);

struct Inner {
    at: u64,
    passed: AtomicU64,
    dead: watch::Sender<bool>,
}

impl Faults {
    /// Dies at that point, counted from 1.
    pub(super) fn at(at: u64) -> Self {
        Self(Arc::new(Inner {
            at,
            passed: AtomicU64::new(0),
            dead: watch::Sender::new(false),
        }))
    }

    /// Passes a point. Whether the process lives.
    pub(super) fn pass(&self) -> bool {
        let passed = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if passed == self.0.at {
            self.0.dead.send_replace(true);
        }
        !self.is_dead()
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.0.dead.borrow()
    }

    pub(super) fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::SeqCst)
    }

    /// Ready when it is dead.
    pub(super) async fn struck(&self) {
        let mut dead = self.0.dead.subscribe();
        dead.wait_for(|dead| *dead).await.ok();
    }
}

/// A store whose writes are points: before each, and behind it.
#[derive(Clone)]
pub struct FaultyStore {
    store: Store,
    faults: Option<Faults>,
}

impl FaultyStore {
    pub(crate) fn open(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let store = Store::open(path, mode)?;
        let faults = None;
        Ok(Self { store, faults })
    }

    /// The same store in another life.
    pub(super) fn with(&self, faults: Faults) -> Self {
        let faults = Some(faults);
        Self {
            store: self.store.clone(),
            faults,
        }
    }

    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let faults = self.faults.clone();
        self.store.write(move |tx| {
            let lives = || faults.as_ref().is_none_or(Faults::pass);
            if !lives() {
                return Err(StoreError::Closed);
            }
            let done = work(tx)?;
            // It dies behind the commit: what was written stays, and nobody hears of it.
            lives();
            Ok(done)
        })
    }
}

impl Deref for FaultyStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}
