//! The observer: an embedder that follows the calls of a run while they happen.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Record;
use crate::failure::ErrorKind;
use crate::run_info::RunInfo;

/// A call that begins.
#[derive(Debug, Clone)]
pub struct CallStart {
    /// The run that makes the call, and its tenant.
    pub run: Arc<RunInfo>,
    /// The number of the call in its run, from 1.
    pub call: u64,
    /// The name that the script asked for, cut to what a line can hold. The catalog may not have
    /// it.
    pub name: String,
    /// When the call began.
    pub started: Instant,
}

impl CallStart {
    /// When the call began, by the time of day.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.run.time_of(self.started)
    }
}

/// An attempt of a call that has ended. Only runs that are a part of a distributed trace tell of them.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The run that makes the call.
    pub run: Arc<RunInfo>,
    /// The number of the call in its run, from 1.
    pub call: u64,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub started: Instant,
    /// From then to its outcome.
    pub duration: Duration,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
}

/// Follows the calls of a run.
///
/// The gate calls these methods from the task that answers the call, so each must return at once: a
/// method that blocks would hold up the run. [`events`] hands everything on to a task of yours.
pub trait Observer: Send + Sync {
    /// A call begins: the gate has not looked at its name yet.
    fn call_begins(&self, call: &CallStart) {
        let _ = call;
    }

    /// An attempt of a call has ended. One that was cancelled is not told.
    fn attempt_ends(&self, attempt: &Attempt) {
        let _ = attempt;
    }

    /// A call has ended, also when it was cancelled or its run was dropped.
    fn call_ends(&self, call: &Record) {
        let _ = call;
    }
}

/// What an observer sees.
#[derive(Debug, Clone)]
pub enum CallEvent {
    /// A call begins.
    Begins(CallStart),
    /// A call has ended.
    Ends(Record),
}

/// An observer that never waits for its reader: it puts every event in a queue. A run of `n` calls
/// puts at most `2 * n` there, so the run's limit on calls bounds the queue.
#[derive(Debug, Clone)]
pub struct Events(tokio::sync::mpsc::UnboundedSender<CallEvent>);

/// An observer, and the queue of what it sees. The queue ends when the last run that has the
/// observer is over.
#[must_use]
pub fn events() -> (Arc<Events>, tokio::sync::mpsc::UnboundedReceiver<CallEvent>) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    (Arc::new(Events(sender)), receiver)
}

impl Observer for Events {
    fn call_begins(&self, call: &CallStart) {
        self.0.send(CallEvent::Begins(call.clone())).ok();
    }

    fn call_ends(&self, call: &Record) {
        self.0.send(CallEvent::Ends(call.clone())).ok();
    }
}
