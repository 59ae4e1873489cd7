//! Writes down how a run ended, or why it stopped.

use kael_engine::run_info::RunId;
use kael_engine::runtime::RunReport;
use kael_engine::sandbox::{Ending, Suspension};
use kael_store::{StoreError, Tx, Value};
use serde_json::json;

use crate::sink::Entries;
use crate::{Begun, Family, Runs, RunsError, State, children};

const CONCLUDE: &str = "UPDATE runs SET state = ?3, reason = ?4, ended = ?5, ending = ?6, usage = ?7, wake = ?8 \
                        WHERE id = ?1 AND epoch = ?2";
/// Letters that the run has not looked at, and a cancel in any case: a run whose script knows of one does not give its
/// place up any more.
const UNSEEN: &str = "SELECT n FROM inbox WHERE run = ?1 AND (n > ?2 OR kind = 3) LIMIT 1";

#[cfg(test)]
pub(crate) const ALL: [&str; 2] = [CONCLUDE, UNSEEN];

/// How a run ended, or why it stopped, to be written.
#[derive(Clone)]
pub struct Conclusion {
    run: RunId,
    epoch: i64,
    /// The run was never written down, because it came to nothing that must be kept.
    is_unwritten: bool,
    last: Option<Entries>,
    seen: u64,
    state: State,
    reason: Option<String>,
    wake: Option<i64>,
    ending: String,
    usage: String,
}

impl Begun {
    /// Who has cancelled the run, if it has ended because of that: its script did not catch the error, or had not ended in
    /// time after it. One that ends as if nothing had happened has done its work.
    #[must_use]
    pub fn ended_by(&self, ending: &Ending<Option<String>>) -> Option<&str> {
        let by = self.journal.cancelled_by()?;
        match ending {
            Ending::Failed(_) | Ending::Limit(..) => Some(by),
            Ending::Exited(code) if *code != 0 => Some(by),
            Ending::Cancelled(_) if self.journal.was_dropped() => Some(by),
            _ => None,
        }
    }

    /// What is to be written of a report.
    #[must_use]
    pub fn conclusion(&self, report: &RunReport) -> Conclusion {
        let (mut state, mut reason) = state_of(&report.ending);
        let mut ending = ending_of(&report.ending);
        if let Some(by) = self.ended_by(&report.ending) {
            (state, reason) = (State::Cancelled, None);
            ending["kind"] = "cancelled".into();
            ending["error"] = ending["message"].take();
            ending["message"] = format!("{by} has cancelled the run").into();
        }
        let wake = match &report.ending {
            Ending::Suspended(Suspension::Waiting(pause), _) => {
                pause.until.and_then(|due| i64::try_from(due).ok())
            }
            _ => None,
        };
        let usage = json!({
            "cpu_s": report.usage.cpu.as_secs_f64(),
            "wall_s": report.usage.wall.as_secs_f64(),
            "memory_bytes": report.usage.memory.bytes(),
            "output_bytes": report.usage.output,
            "calls": report.usage.calls,
        });
        let last = self.unwritten.take_last();
        Conclusion {
            run: report.run.id,
            epoch: self.epoch,
            is_unwritten: last.is_none() && !self.unwritten.is_begun(),
            last,
            seen: self.journal.letters_seen(),
            state,
            reason,
            wake,
            ending: ending.to_string(),
            usage: usage.to_string(),
        }
    }
}

impl Conclusion {
    /// The same for a run that a person has cancelled: it does not go on.
    #[must_use]
    pub fn cancelled(self) -> Self {
        Self {
            state: State::Cancelled,
            reason: None,
            ..self
        }
    }

    /// The same for a run that counts as failed for its keeper, such as one with a result that is too large.
    #[must_use]
    pub fn failed(self, message: &str) -> Self {
        match self.state {
            State::Failed => self,
            _ => Self {
                state: State::Failed,
                reason: None,
                wake: None,
                ending: json!({ "kind": "failed", "message": message, "traceback": [] })
                    .to_string(),
                ..self
            },
        }
    }

    /// Writes it. May be called again when the transaction has failed. Returns what became of the runs that it had
    /// started.
    ///
    /// # Errors
    /// When it cannot be written, or another process has taken the run over.
    pub fn write(&self, tx: &Tx<'_>) -> Result<Family, StoreError> {
        if self.is_unwritten {
            return Ok(Family::default());
        }
        let id = self.run.bytes();
        if let Some(last) = &self.last {
            last.write(tx, id)?;
        }
        let over = self.state.is_over();
        let unseen = [Value::from(id), Value::Int(self.seen as i64)];
        // What has come since the run has last looked wakes it at once.
        let wake = match tx.first(UNSEEN, &unseen, |row| row.get::<i64>(0))? {
            Some(_) if self.state == State::Waiting => Some(tx.now()),
            _ => self.wake,
        };
        let values = [
            Value::from(id),
            Value::Int(self.epoch),
            Value::Int(self.state.number()),
            Value::from(self.reason.as_deref()),
            Value::from(over.then(|| tx.now())),
            Value::from(&self.ending),
            Value::from(&self.usage),
            Value::from(wake),
        ];
        let lost = "another process has taken the run over";
        tx.change_one(CONCLUDE, &values, lost)?;
        match over {
            true => children::over(tx, id, self.state, &self.ending),
            false => Ok(Family::default()),
        }
    }
}

impl Runs {
    /// Writes down how a run ended, or why it stopped. The run is then free for other processes.
    ///
    /// # Errors
    /// When that cannot be written.
    pub async fn conclude(&self, begun: Begun, report: &RunReport) -> Result<(), RunsError> {
        let conclusion = begun.conclusion(report);
        self.store.write(move |tx| conclusion.write(tx)).await?;
        drop(begun.lock);
        Ok(())
    }
}

fn state_of(ending: &Ending<Option<String>>) -> (State, Option<String>) {
    let (state, reason) = match ending {
        Ending::Suspended(Suspension::Waiting(pause), _) if !pause.what.is_empty() => {
            return (State::Waiting, Some(pause.what.join(", ")));
        }
        Ending::Done(_) | Ending::Exited(0) => (State::Succeeded, None),
        Ending::Failed(_) | Ending::Exited(_) => (State::Failed, None),
        Ending::Limit(..) => (State::Failed, Some("limit")),
        Ending::OutputClosed | Ending::OutputFailed(_) => (State::Failed, Some("output")),
        // It goes on when somebody resumes it.
        Ending::Cancelled(_) => (State::Parked, Some("interrupted")),
        Ending::Busy(_) => (State::Parked, Some("busy")),
        Ending::Fault(_) => (State::Parked, Some("fault")),
        Ending::Suspended(why, _) => match why {
            Suspension::Waiting(_) => (State::Waiting, Some("sleep")),
            Suspension::InDoubt(_) => (State::Parked, Some("in_doubt")),
            Suspension::Diverged(_) => (State::Parked, Some("diverged")),
            Suspension::JournalFull => (State::Failed, Some("journal")),
            Suspension::LogEnds | Suspension::JournalFailed(_) => (State::Parked, Some("journal")),
        },
    };
    (state, reason.map(str::to_owned))
}

fn ending_of(ending: &Ending<Option<String>>) -> serde_json::Value {
    match ending {
        Ending::Done(value) => json!({ "kind": "done", "result": value }),
        Ending::Exited(code) => json!({ "kind": "exited", "code": code }),
        Ending::Failed(error) => json!({
            "kind": "failed",
            "message": error.message,
            "traceback": error.traceback,
            "action": error.action.as_ref().map(|(name, kind)| json!({ "name": name, "kind": kind.name() })),
        }),
        Ending::Limit(hit, frames) => {
            json!({ "kind": "limit", "limit": hit.name(), "message": hit.to_string(), "traceback": frames })
        }
        Ending::Cancelled(frames) => json!({ "kind": "cancelled", "traceback": frames }),
        Ending::OutputClosed => json!({ "kind": "output_closed" }),
        Ending::OutputFailed(error) => json!({ "kind": "output_failed", "message": error }),
        Ending::Busy(busy) => json!({ "kind": "busy", "message": busy.to_string() }),
        Ending::Suspended(why, frames) => {
            let mut document =
                json!({ "kind": "suspended", "message": why.to_string(), "traceback": frames });
            if let Suspension::InDoubt(doubt) = why {
                document["doubt"] = json!({
                    "call": doubt.call,
                    "action": doubt.action,
                    "params": doubt.params,
                    "key": doubt.key,
                    "attempt": doubt.attempt,
                });
            }
            document
        }
        Ending::Fault(fault) => json!({ "kind": "fault", "message": fault }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kael_engine::limits::Limits;
    use kael_engine::run_info::{RunInfo, Tenant};
    use kael_engine::sandbox::Script;

    use super::*;
    use crate::{CancelOutcome, Rules, RunRow};

    const SLEEPS: &str = "UPDATE runs SET wake = NULL WHERE id = ?1";

    /// A run may fetch the letter of a cancel after its last look for one. The letter counts as seen then, and must wake
    /// the run all the same.
    #[test]
    fn a_wish_that_a_run_ends_is_not_lost_between_two_looks() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let info = RunInfo::new(Tenant::default());
        let id = info.id;
        let script = Script::new("script.lua", "wait_for('go')");
        let (limits, rules) = (Limits::default(), Rules::default());
        let begun = runs.begin(&info, &script, &limits, None, rules, &BTreeMap::new());
        let begun = begun.expect("nothing is written yet");
        let create = begun.unwritten.take_create().expect("it is new");
        let written = runs.store.write(move |tx| create(tx));
        written.wait().expect("written");
        assert_eq!(
            runs.ask_to_end(id, "me").expect("asked"),
            CancelOutcome::Knows
        );
        let conclusion = |seen| Conclusion {
            run: id,
            epoch: begun.epoch,
            is_unwritten: false,
            last: None,
            seen,
            state: State::Waiting,
            reason: None,
            wake: None,
            ending: "{}".to_owned(),
            usage: "{}".to_owned(),
        };
        let wake = || {
            let row = runs.store.read_blocking(|tx| Ok(RunRow::get(tx, id)));
            row.expect("a store").expect("a run").wake
        };
        let one = conclusion(1);
        let written = runs.store.write(move |tx| one.write(tx));
        written.wait().expect("written");
        assert!(wake().is_some(), "it has looked at the letter");
        // A second cancel wakes it, too.
        let asleep = runs.store.write(move |tx| {
            tx.execute(SLEEPS, &[Value::from(id.bytes())])?;
            Ok(())
        });
        asleep.wait().expect("written");
        assert!(wake().is_none());
        assert_eq!(
            runs.ask_to_end(id, "me").expect("asked"),
            CancelOutcome::Wakes
        );
        assert!(wake().is_some(), "it was asked again");
    }
}
