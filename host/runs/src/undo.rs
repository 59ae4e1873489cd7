//! What a person decides about a run: settles a doubt, cancels it, removes it.

use kael_engine::journal::{Entry, Log, Resolve, Verdict};
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx, Value};

use crate::{Family, RunRow, Runs, RunsError, State, children, inbox, load, look, sink, texts};

const STATE: &str = "UPDATE runs SET state = ?2, reason = ?3, ended = ?4, wake = NULL, epoch = epoch + 1 \
                     WHERE id = ?1";
const REMOVE: [&str; 7] = [
    // Forks that wait for the first of runs that took each other's place wait for the last.
    "DELETE FROM followers WHERE follower = ?1 OR run = ?1 \
     AND NOT EXISTS (SELECT 1 FROM runs WHERE first = ?1 AND state IN (0, 1, 2, 6))",
    "DELETE FROM decisions WHERE run = ?1",
    "DELETE FROM journal WHERE run = ?1",
    "DELETE FROM output WHERE run = ?1",
    "DELETE FROM inbox WHERE run = ?1",
    "DELETE FROM approvals WHERE run = ?1",
    "DELETE FROM runs WHERE id = ?1",
];
const PART: &str = "DELETE FROM journal WHERE run = ?1 AND seq IN \
                    (SELECT seq FROM journal WHERE run = ?1 ORDER BY seq LIMIT ?2)";
const BUNDLES: &str =
    "DELETE FROM bundles WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.bundle = bundles.digest)";

#[cfg(test)]
pub(crate) const ALL: [&str; 10] = [
    STATE, PART, REMOVE[0], REMOVE[1], REMOVE[2], REMOVE[3], REMOVE[4], REMOVE[5], REMOVE[6],
    BUNDLES,
];

impl Runs {
    /// Settles whether a call took place. The run can then go on.
    ///
    /// # Errors
    /// When the call is not in doubt, or a process has the run.
    pub fn resolve(
        &self,
        id: RunId,
        call: u64,
        verdict: Verdict,
        by: &str,
    ) -> Result<(), RunsError> {
        let _lock = self.lock(id)?;
        let settlement = self.settlement(id, call, verdict, by)?;
        let written = self.store.write(move |tx| settlement.write(tx));
        Ok(written.wait()?)
    }

    /// What is to be written so that a call in doubt is settled.
    ///
    /// # Errors
    /// When the call is not in doubt.
    pub fn settlement(
        &self,
        id: RunId,
        call: u64,
        verdict: Verdict,
        by: &str,
    ) -> Result<Settlement, RunsError> {
        let log = self.log(id)?;
        let call_id = look::doubtful(&log, call).ok_or(RunsError::NoDoubt { id, call })?;
        let entry = Entry::Resolve(Box::new(Resolve {
            id: call_id,
            by: by.to_owned(),
            verdict,
        }));
        let next = log.count();
        Ok(Settlement {
            run: id,
            next,
            entry,
        })
    }

    /// Ends a run that no process has. It cannot go on.
    ///
    /// # Errors
    /// When it is over, or a process has it.
    pub fn cancel(&self, id: RunId, by: &str) -> Result<(), RunsError> {
        let row = self.store.read_blocking(|tx| Ok(RunRow::get(tx, id)))??;
        if row.state.is_over() {
            return Err(RunsError::State {
                id,
                state: row.state.name().to_owned(),
                why: "a run that is over cannot be cancelled",
            });
        }
        let (_lock, by) = (self.lock(id)?, by.to_owned());
        let written = self.store.write(move |tx| cancel(tx, id, by));
        written.wait()?;
        Ok(())
    }

    /// Asks a run to end, so that its script can clean up: it gets an error where it waits. One that nothing runs, and
    /// that does not wait, is ended like by [`cancel`](Self::cancel).
    ///
    /// # Errors
    /// When it is over.
    pub fn ask_to_end(&self, id: RunId, by: &str) -> Result<CancelOutcome, RunsError> {
        let (is_held, who) = (self.is_held(id)?, by.to_owned());
        let asking = self.store.write(move |tx| {
            let state = match RunRow::get(tx, id) {
                Ok(row) => row.state,
                Err(error) => return Ok(Err(error)),
            };
            let outcome = match state {
                State::Waiting => CancelOutcome::Wakes,
                State::Running if is_held => CancelOutcome::Knows,
                _ => return Ok(Ok(None)),
            };
            inbox::ask_to_end(tx, id.bytes(), &who)?;
            Ok(Ok(Some(outcome)))
        });
        match asking.wait()?? {
            Some(outcome) => Ok(outcome),
            None => self.cancel(id, by).map(|()| CancelOutcome::Ended),
        }
    }

    /// Removes a run, and what only it has needed.
    ///
    /// # Errors
    /// When a process has it, or it may still go on and `even_unfinished` does not say so.
    pub fn remove(&self, id: RunId, even_unfinished: bool) -> Result<(), RunsError> {
        let row = self.store.read_blocking(|tx| Ok(RunRow::get(tx, id)))??;
        if !row.state.is_over() && !even_unfinished {
            return Err(RunsError::State {
                id,
                state: row.state.name().to_owned(),
                why: "a run that is not over is only removed with --force",
            });
        }
        let _lock = self.lock(id)?;
        let tenant = self.tenant;
        let written = self.store.write(move |tx| {
            remove_rows(tx, tenant, id)?;
            remove_repos(tx)
        });
        Ok(written.wait()?)
    }

    /// The journal of a run, checked.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn log(&self, id: RunId) -> Result<Log, RunsError> {
        self.store.read_blocking(|tx| Ok(load::log(tx, id)))?
    }
}

/// What became of the wish that a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// A process has it, and tells its script.
    Knows,
    /// It waits: its script is told when it goes on, which it is to do now.
    Wakes,
    /// There was nobody to tell: it is over, or the server ends it.
    Ended,
}

/// The word of a person on a call in doubt, to be written.
pub struct Settlement {
    run: RunId,
    /// The number of the next entry, when the doubt was looked at.
    next: u64,
    entry: Entry,
}

impl Settlement {
    /// Writes it.
    ///
    /// # Errors
    /// When that cannot be written, or the journal has grown since the doubt was looked at.
    pub fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let head = load::head(tx, self.run)?.filter(|head| head.next == self.next);
        let Some(head) = head else {
            let why = "the run has gone on since".to_owned();
            return Err(StoreError::Conflict(why));
        };
        sink::add(tx, self.run, &head, &self.entry)?;
        set(tx, self.run, State::Parked, Some("settled"))
    }
}

/// Ends a run that nothing runs.
pub(crate) fn cancel(tx: &Tx<'_>, id: RunId, by: String) -> Result<Family, StoreError> {
    // A damaged journal is no reason to keep a run.
    if let Some(head) = load::head(tx, id)? {
        sink::add(tx, id, &head, &Entry::Cancel { by })?;
    }
    set(tx, id, State::Cancelled, None)?;
    children::over(tx, id.bytes(), State::Cancelled, "{}")
}

/// Removes entries of a journal from its beginning: how many.
pub(crate) fn remove_entries(tx: &Tx<'_>, id: RunId, most: i64) -> Result<i64, StoreError> {
    let values = [Value::from(id.bytes()), Value::Int(most)];
    Ok(tx.execute(PART, &values)? as i64)
}

/// Removes repos that no run has.
pub(crate) fn remove_repos(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute(BUNDLES, &[])?;
    Ok(())
}

/// Removes what the store has of a run, but for its repo.
pub(crate) fn remove_rows(tx: &Tx<'_>, tenant: i64, id: RunId) -> Result<(), StoreError> {
    for sql in REMOVE {
        tx.execute(sql, &[Value::from(id.bytes())])?;
    }
    texts::forget(tx, tenant, id.bytes())
}

fn set(tx: &Tx<'_>, id: RunId, state: State, reason: Option<&str>) -> Result<(), StoreError> {
    let ended = state.is_over().then(|| tx.now());
    let values = [
        Value::from(id.bytes()),
        Value::Int(state.number()),
        Value::from(reason),
        Value::from(ended),
    ];
    tx.change_one(STATE, &values, "the run is gone")
}
