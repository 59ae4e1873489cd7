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
    /// Instead of dying: the disk is full at that write, and has room again behind it.
    is_full: bool,
    passed: AtomicU64,
    dead: watch::Sender<bool>,
}

impl Faults {
    /// Dies at that point, counted from 1.
    pub(super) fn at(at: u64) -> Self {
        Self::new(at, false)
    }

    /// Lives, and finds the disk full at that write, counted from 1.
    pub(super) fn full_at(at: u64) -> Self {
        Self::new(at, true)
    }

    fn new(at: u64, is_full: bool) -> Self {
        Self(Arc::new(Inner {
            at,
            is_full,
            passed: AtomicU64::new(0),
            dead: watch::Sender::new(false),
        }))
    }

    /// Passes a point. Whether the process lives.
    pub(super) fn pass(&self) -> bool {
        let passed = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if passed == self.0.at && !self.0.is_full {
            self.0.dead.send_replace(true);
        }
        !self.is_dead()
    }

    /// Begins a write. Where that cannot be, why.
    fn begin_write(&self) -> Result<(), StoreError> {
        if self.0.is_full {
            let passed = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
            return match passed == self.0.at {
                true => Err(StoreError::Full),
                false => Ok(()),
            };
        }
        match self.pass() {
            true => Ok(()),
            false => Err(StoreError::Closed),
        }
    }

    /// Ends a write. A process that dies here leaves what it has written, and hears nothing of it.
    fn end_write(&self) {
        if !self.0.is_full {
            self.pass();
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.is_full
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
            if let Some(faults) = &faults {
                faults.begin_write()?;
            }
            let done = work(tx)?;
            if let Some(faults) = &faults {
                faults.end_write();
            }
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
