//! What is going on now, and what has been: for whoever shows progress or writes a trace.

mod lines;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use lines::Lines;

use crate::permit::Permit;
use crate::run_info::RunInfo;

/// Spans that are kept at most: a run of more calls has a trace of its beginning.
const MOST: usize = 100_000;

/// What a span of time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// The actions repo was loading.
    Repo,
    /// A script was running, its waiting included.
    Script,
    /// An action.
    Action,
    /// A source was being fetched, prepared or built.
    Source,
}

/// A span of time.
#[derive(Debug, Clone)]
pub struct Span {
    /// What it was spent on.
    pub kind: SpanKind,
    /// Which one.
    pub name: String,
    /// The run that it was spent for, with its tenant. Loading a repo is for no run yet.
    pub run: Option<Arc<RunInfo>>,
    /// When it began.
    pub begin: Instant,
    /// When it ended, if it has.
    pub end: Option<Instant>,
    /// How it ended, where that is known.
    pub outcome: Option<&'static str>,
    /// The rule of the policy that decided on it.
    pub decision: Option<String>,
    /// The last line that it wrote to stderr.
    pub said: Option<String>,
}

/// What stays in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Only what is going on, for who shows progress.
    Running,
    /// Also what has ended, for who writes a trace.
    Everything,
}

/// A log in which work is noted while it is done. By default there is none, and noting costs nothing.
#[derive(Debug, Clone, Default)]
pub struct ActivityLog(Option<Arc<Mutex<Board>>>);

#[derive(Debug, Default)]
struct Board {
    next: u64,
    going_on: BTreeMap<u64, Span>,
    /// What has ended, where that is wanted.
    kept: Option<Vec<Span>>,
}

/// Work that is going on as long as this lives.
#[derive(Debug)]
pub struct SpanGuard {
    board: Option<Arc<Mutex<Board>>>,
    id: u64,
}

fn open(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ActivityLog {
    /// A log that keeps as much.
    #[must_use]
    pub fn new(retention: Retention) -> Self {
        let board = Board {
            kept: (retention == Retention::Everything).then(Vec::new),
            ..Board::default()
        };
        Self(Some(Arc::new(Mutex::new(board))))
    }

    /// Whether there is a log.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Notes what begins. It belongs to the run whose call this task answers, if it answers one.
    pub fn begin(&self, kind: SpanKind, name: &str) -> SpanGuard {
        self.note(kind, name, Permit::current_run)
    }

    /// Notes what begins for a run.
    pub fn begin_for(&self, kind: SpanKind, name: &str, run: &Arc<RunInfo>) -> SpanGuard {
        self.note(kind, name, || Some(run.clone()))
    }

    fn note(
        &self,
        kind: SpanKind,
        name: &str,
        run: impl FnOnce() -> Option<Arc<RunInfo>>,
    ) -> SpanGuard {
        let mut id = 0;
        if let Some(board) = &self.0 {
            let run = run();
            let mut board = open(board);
            id = board.next;
            board.next += 1;
            let span = Span {
                kind,
                name: name.to_owned(),
                run,
                begin: Instant::now(),
                end: None,
                outcome: None,
                decision: None,
                said: None,
            };
            board.going_on.insert(id, span);
        }
        SpanGuard {
            board: self.0.clone(),
            id,
        }
    }

    /// What is going on, in the order in which it began.
    #[must_use]
    pub fn now(&self) -> Vec<Span> {
        self.0
            .as_deref()
            .map(|board| open(board).going_on.values().cloned().collect())
            .unwrap_or_default()
    }

    /// What has ended, and then what is going on.
    #[must_use]
    pub fn all(&self) -> Vec<Span> {
        let Some(board) = &self.0 else {
            return Vec::new();
        };
        let board = open(board);
        let kept = board.kept.iter().flatten();
        kept.chain(board.going_on.values()).cloned().collect()
    }
}

impl SpanGuard {
    /// The lines that the call of that number writes to stderr, logged where that is wanted.
    #[must_use]
    pub fn lines(&self, name: &str, call: u64, is_logged: bool) -> Lines {
        Lines::new(name, call, is_logged, self.board.as_ref(), self.id)
    }

    /// Notes what decided that it may be, or not.
    pub fn decided(&self, by: &dyn std::fmt::Display) {
        if let Some(board) = &self.board
            && let Some(span) = open(board).going_on.get_mut(&self.id)
        {
            span.decision = Some(by.to_string());
        }
    }

    /// Notes how it ends.
    pub fn outcome(&self, outcome: &'static str) {
        if let Some(board) = &self.board
            && let Some(span) = open(board).going_on.get_mut(&self.id)
        {
            span.outcome = Some(outcome);
        }
    }
}

impl Drop for SpanGuard {
    fn drop(&mut self) {
        let Some(board) = &self.board else { return };
        let mut board = open(board);
        let Some(mut span) = board.going_on.remove(&self.id) else {
            return;
        };
        if let Some(kept) = &mut board.kept
            && kept.len() < MOST
        {
            span.end = Some(Instant::now());
            span.said = None;
            kept.push(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_info::Tenant;

    #[test]
    fn what_has_ended_is_kept_where_that_is_wanted() {
        for keep in [true, false] {
            let activity = ActivityLog::new(match keep {
                true => Retention::Everything,
                false => Retention::Running,
            });
            let run = RunInfo::new(Tenant::default());
            let first = activity.begin_for(SpanKind::Action, "a", &run);
            let _second = activity.begin(SpanKind::Source, "b");
            first.outcome("ok");
            let now = activity.now();
            assert_eq!(now[0].run.as_ref().map(|run| run.id), Some(run.id));
            assert!(now.len() == 2 && now[1].run.is_none());
            drop(first);
            assert_eq!(activity.now()[0].name, "b");
            let all = activity.all();
            assert_eq!(all.len(), 1 + usize::from(keep));
            assert!(!keep || all[0].outcome == Some("ok") && all[0].end.is_some());
        }
        let off = ActivityLog::default();
        let _doing = off.begin(SpanKind::Action, "a");
        assert!(off.now().is_empty() && off.all().is_empty());
    }
}
