//! Tells work on another thread that the call it is done for is over.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the call that work is done for goes on.
pub(crate) struct Running(Arc<AtomicBool>);

/// Held by the call: without it the work ends.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Running {
    pub(crate) fn new() -> (Self, Stop) {
        let is_over = Arc::new(AtomicBool::new(false));
        (Self(is_over.clone()), Stop(is_over))
    }

    /// Fails once the call is over. Nothing reads that error.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Error::other("the call is over")),
            false => Ok(()),
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
