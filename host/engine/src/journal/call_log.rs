//! The journal as one call sees it: what is known of the call from an earlier attempt, and where it writes.

use std::sync::Arc;
use std::time::Duration;

use super::entry::{Intent, Outcome, Wait};
use super::recorder::Recorder;

/// The journal as one call sees it.
pub(crate) struct CallLog {
    pub(crate) recorder: Arc<Recorder>,
    /// The number that the guest gave the call.
    pub(crate) id: u32,
    /// The number of its next attempt.
    pub(crate) attempt: u32,
    /// How it ended, where that is known, and the entry that says so.
    pub(crate) known: Option<(Option<u64>, Outcome)>,
    /// The time that it waits for, in microseconds since 1970.
    pub(crate) until: Option<u64>,
}

impl CallLog {
    /// Says that an effect is about to begin, and returns when that is durable. Should it never be, this waits until
    /// the run is ended for it.
    pub(crate) async fn intent(&self, intent: Intent) {
        if self.recorder.intent(intent).await.is_err() {
            std::future::pending().await
        }
    }

    /// Says how the call ended.
    pub(crate) fn outcome(&self, outcome: Outcome, duration: Duration, is_effect: bool) {
        self.recorder.outcome(self.id, outcome, duration, is_effect);
    }

    /// Says until when the call waits.
    pub(crate) fn waits_until(&self, time: u64) {
        self.recorder.wait(self.id, Wait::Until(time));
    }
}
