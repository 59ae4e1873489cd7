//! How a run ended, what it used, and what it called.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::options::{InstanceOptions, Records, taken};
use super::{Busy, Suspension};
use crate::failure::{Detail, ErrorKind};
use crate::gate::Record;
use crate::limits::{LimitHit, Limits};
use crate::run_info::RunInfo;
use crate::units::ByteSize;

/// An error that nothing in Lua caught. All of it is text of a script's making.
#[derive(Debug, Clone)]
pub struct ScriptError {
    /// What was going on.
    pub stage: ErrorStage,
    /// The error as text.
    pub message: String,
    /// The Lua frames, innermost first.
    pub traceback: Vec<String>,
    /// Set when the error is a failed action: its name and the kind of failure.
    pub action: Option<(String, ErrorKind)>,
    /// What is known of that action's process. This is the host's own knowledge, and not the
    /// script's.
    pub detail: Option<Box<Detail>>,
}

/// What was going on when an error ended the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStage {
    /// The actions repo was loading.
    Repo,
    /// The script was being compiled.
    Syntax,
    /// The script was running.
    Script,
    /// The value that it returned was being turned into JSON.
    Output,
}

/// How an instance ended.
#[derive(Debug, Clone)]
pub enum Ending<T> {
    /// It answered.
    Done(T),
    /// An error that nothing caught.
    Failed(ScriptError),
    /// A limit, and the Lua frames that were running, innermost first, as far as they are known.
    Limit(LimitHit, Vec<String>),
    /// It asked to end with an exit code (`os.exit`).
    Exited(u8),
    /// It was cancelled from outside, and the Lua frames that were running, as far as they are
    /// known.
    Cancelled(Vec<String>),
    /// The reader of the output is gone.
    OutputClosed,
    /// The output cannot be written: a full disk.
    OutputFailed(String),
    /// It was not begun: no instance was free, and too many callers wait for one.
    Busy(Busy),
    /// A run with a journal that can go on, and the Lua frames that were running.
    Suspended(Suspension, Vec<String>),
    /// A bug in Kael, in words.
    Fault(String),
}

/// What an instance used.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Time that the script computed.
    pub cpu: Duration,
    /// From the start to the end.
    pub wall: Duration,
    /// The most memory that was in use.
    pub memory: ByteSize,
    /// Bytes printed.
    pub output: u64,
    /// Actions called.
    pub calls: u32,
}

/// The end of an instance, what it used, and what it called.
#[derive(Debug, Clone)]
pub struct Report<T> {
    /// The id and the tenant of the run.
    pub run: Arc<RunInfo>,
    /// When it began: when it had its place in the pool.
    pub started: Instant,
    /// How it ended.
    pub ending: Ending<T>,
    /// What it might use.
    pub limits: Limits,
    /// What it used.
    pub usage: Usage,
    /// Every call of an action, in the order in which they ended.
    pub calls: Vec<Record>,
}

impl<T> Report<T> {
    /// When it began, by the time of day.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.run.time_of(self.started)
    }

    /// When it ended, by the time of day.
    #[must_use]
    pub fn ended_at(&self) -> SystemTime {
        self.run.time_of(self.started + self.usage.wall)
    }

    /// Of a run that was not begun.
    pub(super) fn not_begun(options: &InstanceOptions, ending: Ending<T>) -> Self {
        Self::without_usage(
            options.info.clone(),
            &options.limits,
            &options.records,
            ending,
        )
    }

    /// Of a run that a bug of the host's ended: what it used is lost with it, and its calls are
    /// not.
    pub(crate) fn faulted(
        info: Arc<RunInfo>,
        limits: &Limits,
        records: &Records,
        fault: String,
    ) -> Self {
        Self::without_usage(info, limits, records, Ending::Fault(fault))
    }

    fn without_usage(
        run: Arc<RunInfo>,
        limits: &Limits,
        records: &Records,
        ending: Ending<T>,
    ) -> Self {
        let calls = taken(records);
        Self {
            run,
            started: Instant::now(),
            ending,
            limits: limits.clone(),
            usage: Usage {
                cpu: Duration::ZERO,
                wall: Duration::ZERO,
                memory: ByteSize::new(0),
                output: 0,
                calls: u32::try_from(calls.len()).unwrap_or(u32::MAX),
            },
            calls,
        }
    }

    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Report<U> {
        let ending = match self.ending {
            Ending::Done(value) => Ending::Done(f(value)),
            Ending::Failed(error) => Ending::Failed(error),
            Ending::Limit(hit, frames) => Ending::Limit(hit, frames),
            Ending::Exited(code) => Ending::Exited(code),
            Ending::Cancelled(frames) => Ending::Cancelled(frames),
            Ending::OutputClosed => Ending::OutputClosed,
            Ending::OutputFailed(error) => Ending::OutputFailed(error),
            Ending::Busy(busy) => Ending::Busy(busy),
            Ending::Suspended(why, frames) => Ending::Suspended(why, frames),
            Ending::Fault(fault) => Ending::Fault(fault),
        };
        Report {
            run: self.run,
            started: self.started,
            ending,
            limits: self.limits,
            usage: self.usage,
            calls: self.calls,
        }
    }
}
