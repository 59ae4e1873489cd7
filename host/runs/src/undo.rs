//! What a person decides about a run: settles a doubt, cancels it, removes it.

use kael_engine::journal::{Batch, Chain, Entry, Log, LogRow, Resolve, Verdict};
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx, Value};

use crate::{Family, RunRow, Runs, RunsError, State, children, load, look, sink, texts};

const STATE: &str = "UPDATE runs SET state = ?2, reason = ?3, ended = ?4, wake = NULL, epoch = epoch + 1 \
                     WHERE id = ?1";
const REMOVE: [&str; 6] = [
    "DELETE FROM decisions WHERE run = ?1",
    "DELETE FROM journal WHERE run = ?1",
    "DELETE FROM output WHERE run = ?1",
    "DELETE FROM inbox WHERE run = ?1",
    "DELETE FROM approvals WHERE run = ?1",
    "DELETE FROM runs WHERE id = ?1",
];
const BUNDLES: &str =
    "DELETE FROM bundles WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.bundle = bundles.digest)";

#[cfg(test)]
pub(crate) const ALL: [&str; 8] = [
    STATE, REMOVE[0], REMOVE[1], REMOVE[2], REMOVE[3], REMOVE[4], REMOVE[5], BUNDLES,
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
        let (_lock, by) = (self.lock(id)?, by.to_owned());
        let log = self.log(id)?;
        let call_id = look::doubtful(&log, call).ok_or(RunsError::NoDoubt { id, call })?;
        let entry = Entry::Resolve(Box::new(Resolve {
            id: call_id,
            by,
            verdict,
        }));
        let written = self.store.write(move |tx| {
            add(tx, id, &log, &entry)?;
            set(tx, id, State::Parked, Some("settled"))
        });
        Ok(written.wait()?)
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
            tx.execute(BUNDLES, &[])?;
            Ok(())
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

/// Ends a run that nothing runs.
pub(crate) fn cancel(tx: &Tx<'_>, id: RunId, by: String) -> Result<Family, StoreError> {
    // A damaged journal is no reason to keep a run.
    if let Ok(log) = load::log(tx, id) {
        add(tx, id, &log, &Entry::Cancel { by })?;
    }
    set(tx, id, State::Cancelled, None)?;
    children::over(tx, id.bytes(), State::Cancelled, "{}")
}

/// Removes what the store has of a run, but for its repo.
pub(crate) fn remove_rows(tx: &Tx<'_>, tenant: i64, id: RunId) -> Result<(), StoreError> {
    for sql in REMOVE {
        tx.execute(sql, &[Value::from(id.bytes())])?;
    }
    texts::forget(tx, tenant, id.bytes())
}

/// Adds one entry behind the last one of a journal.
fn add(tx: &Tx<'_>, id: RunId, log: &Log, entry: &Entry) -> Result<(), StoreError> {
    let ((head, cpu_us), body) = (log.head(), entry.encode());
    let (seq, at) = (log.rows().len() as u64, tx.now() as u64);
    let mut chain = Chain::after(&head);
    chain.add(seq, at, entry.kind(), &body);
    let row = LogRow {
        seq,
        at,
        kind: entry.kind(),
        body,
        commit: Some((chain.end(cpu_us), cpu_us)),
    };
    let batch = Batch {
        rows: vec![row],
        ..Batch::default()
    };
    sink::append(tx, id.bytes(), &batch)
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
