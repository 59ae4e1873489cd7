//! The journal as one call sees it: what is known of the call from an earlier attempt, and where it writes.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::{Intent, Outcome, Wait};
use super::mailbox::{Letter, LetterKind};
use super::post::Post;
use super::recorder::Recorder;
use super::waiting::Waiting;

/// The journal as one call sees it.
pub(crate) struct CallLog {
    pub(crate) recorder: Arc<Recorder>,
    /// The number that the guest gave the call.
    pub(crate) id: u32,
    /// The number of its next attempt.
    pub(crate) attempt: u32,
    /// How it ended, where that is known, and the entry that says so.
    pub(crate) known: Option<(Option<u64>, Outcome)>,
    /// What it has waited for before this attempt.
    pub(crate) waited: Option<Wait>,
    /// What comes for the run.
    pub(crate) post: Option<Post>,
    /// What the run waits for.
    pub(crate) waiting: Waiting,
}

impl CallLog {
    /// Says that an effect is about to begin, and returns when that is durable. Should it never be, this waits until
    /// the run is ended for it.
    pub(crate) async fn intent(&self, intent: Intent) {
        if self.recorder.intent(intent).await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns when all before this is durable, as before an effect: others are about to see something of the run.
    pub(crate) async fn settle(&self) {
        if self.recorder.barrier().await.is_err() {
            std::future::pending().await
        }
    }

    /// The store did not take what the call asks of it. This waits until the run is ended for it: it goes on later.
    pub(crate) async fn stop<T>(&self, why: String) -> T {
        self.recorder.fail(why);
        std::future::pending().await
    }

    /// Says how the call ended.
    pub(crate) fn outcome(&self, outcome: Outcome, duration: Duration, is_effect: bool) {
        self.recorder.outcome(self.id, outcome, duration, is_effect);
    }

    /// Says what the call waits for, in words for people, too; what it has waited for before is written down already.
    pub(crate) fn waits(&self, wait: Wait, until: Option<u64>, what: Option<String>) {
        if self.waited.as_ref() != Some(&wait) {
            self.recorder.wait(self.id, wait);
        }
        self.waiting.waits(self.id, until, what);
    }

    /// Waits for a letter of that kind and name, and writes down which it is. None when the time is over before there is
    /// one.
    pub(crate) async fn letter(
        &self,
        post: &Post,
        (kind, name): (LetterKind, &str),
        until: Option<u64>,
    ) -> Option<Letter> {
        // What has come in time counts, also when this process looks late.
        let there = post.look(self.id, kind, name).await;
        let letter = match there {
            Some(letter) => Some(letter),
            None => tokio::select! {
                biased;
                letter = post.take(self.id, kind, name) => Some(letter),
                () = reached(until) => None,
            },
        };
        self.waiting.goes_on(self.id);
        if let Some(letter) = &letter {
            let got = Wait::Letter(letter.number, letter.by.clone());
            self.recorder.wait(self.id, got);
        }
        letter
    }
}

/// Waits until a time of day, in microseconds since 1970; for ever without one.
async fn reached(until: Option<u64>) {
    let Some(until) = until else {
        return std::future::pending().await;
    };
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = Duration::from_micros(until).saturating_sub(now.unwrap_or_default());
        if left.is_zero() {
            return;
        }
        // The clock may be set meanwhile.
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}
