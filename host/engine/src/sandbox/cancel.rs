//! Ends a run from outside it, so that its report says what it had done by then.

use std::sync::Arc;

use tokio::sync::watch;

/// Cancels one run. Clones cancel the same run.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Cancels the run: it ends within milliseconds, computing or waiting, and reports. A run that
    /// has ended stays as it is.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the run is cancelled.
    async fn cancelled(&self) {
        // This very value holds a sender, so the channel cannot close.
        self.0
            .subscribe()
            .wait_for(|cancelled| *cancelled)
            .await
            .ok();
    }
}

/// Waits until a run is cancelled. Without a way to cancel it, this never ends.
pub(super) async fn cancelled(cancel: Option<&Cancel>) {
    match cancel {
        Some(cancel) => cancel.cancelled().await,
        None => std::future::pending().await,
    }
}
