//! The journal of one run as its caller has it: for a new run, for one that goes on, or for one that is looked at again.

use std::sync::Arc;

use super::chain::ZERO;
use super::entry::{Begin, Entry};
use super::inspector::Inspector;
use super::log::Log;
use super::mailbox::Mailbox;
use super::post::Post;
use super::recorder::Recorder;
use super::sink::{Discard, Sink};

/// The journal of one run. Clones are the same.
#[derive(Clone)]
pub struct Journal {
    pub(crate) recorder: Arc<Recorder>,
    /// What the run has behind it.
    pub(crate) log: Option<Arc<Log>>,
    /// The entry behind which a journal that is looked at is left.
    pub(crate) until: Option<u64>,
    /// Whether the run goes on at the end of that.
    pub(crate) goes_on: bool,
    /// What comes for the run.
    pub(crate) post: Option<Post>,
    /// Who looks at the run where a journal that is looked at is left.
    pub(crate) inspector: Option<Arc<dyn Inspector>>,
    /// Whether replaying may take no more computing time than the run may.
    pub(crate) is_held: bool,
}

impl Journal {
    fn of(recorder: Recorder, log: Option<Log>, goes_on: bool) -> Self {
        Self {
            recorder: Arc::new(recorder),
            log: log.map(Arc::new),
            until: None,
            goes_on,
            post: None,
            inspector: None,
            is_held: false,
        }
    }

    /// For a new run.
    #[must_use]
    pub fn record(begin: Begin, sink: Arc<dyn Sink>) -> Self {
        let recorder = Recorder::new(sink, 0, ZERO, 0);
        recorder.push(&Entry::Begin(Box::new(begin)));
        Self::of(recorder, None, true)
    }

    /// For a run that goes on where its journal ends. `shown` bytes of its output were shown already.
    #[must_use]
    pub fn resume(log: Log, sink: Arc<dyn Sink>, epoch: u64, shown: u64) -> Self {
        let recorder = Recorder::behind(&log, sink, shown);
        recorder.push(&Entry::Takeover { epoch });
        Self::of(recorder, Some(log), true)
    }

    /// For looking at a run again: nothing is called, and all of its output is shown. It stops behind the last
    /// crossing at or before the entry `until`, or at its end.
    #[must_use]
    pub fn replay(log: Log, until: Option<u64>) -> Self {
        let until = until.map(|seq| log.crossing_by(seq));
        let recorder = Recorder::behind(&log, Arc::new(Discard), 0);
        let this = Self::of(recorder, Some(log), false);
        Self { until, ..this }
    }

    /// The same for a journal of which it is not known who wrote it: what it says of computing time raises no limit.
    #[must_use]
    pub fn held_to_limits(self) -> Self {
        Self {
            is_held: true,
            ..self
        }
    }

    /// The same for a run that letters can reach.
    #[must_use]
    pub fn with_mailbox(self, mailbox: Arc<dyn Mailbox>) -> Self {
        let post = Some(Post::new(mailbox));
        Self { post, ..self }
    }

    /// The same for somebody who has Lua evaluated where the journal is left.
    #[must_use]
    pub fn with_inspector(self, inspector: Arc<dyn Inspector>) -> Self {
        let inspector = Some(inspector);
        Self { inspector, ..self }
    }

    /// Who has wanted the run to end, once that is written down: its script got an error, or had no time left.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<&str> {
        self.recorder.cancelled.get().map(String::as_str)
    }

    /// Whether the run was ended because its script had not ended in time after that.
    #[must_use]
    pub fn was_dropped(&self) -> bool {
        self.recorder.was_dropped.get().is_some()
    }

    /// The number of the last letter that the run has looked at. What comes later has not been seen by it.
    #[must_use]
    pub fn letters_seen(&self) -> u64 {
        self.post.as_ref().map_or(0, Post::seen)
    }
}
