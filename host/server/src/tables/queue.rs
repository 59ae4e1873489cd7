//! The queue: one narrow row a run that waits for its turn, and one a run that waits for its time.

use kael_store::{StoreError, Tx, Value};

use super::statements;
use crate::id::Id;
use crate::time;

/// How long a run may wait for its turn, unless its submitter says otherwise.
pub(crate) const TO_LIVE: i64 = 24 * 3600 * time::SECOND;

statements! {
    ADD = "INSERT INTO srv_queue (tenant, prio, ready, run) VALUES (?1, ?2, ?3, ?4)";
    HEAD = "SELECT run, prio, ready FROM srv_queue WHERE tenant = ?1 ORDER BY prio, ready, run LIMIT ?2";
    TAKE = "DELETE FROM srv_queue WHERE tenant = ?1 AND prio = ?2 AND ready = ?3 AND run = ?4";
    COUNTS = "SELECT tenant, count(*) FROM srv_queue GROUP BY tenant";
    ADD_LATER = "INSERT INTO srv_later (due, run) VALUES (?1, ?2)";
    DUE = "SELECT due, run FROM srv_later WHERE due <= ?1 ORDER BY due, run LIMIT ?2";
    NEXT = "SELECT min(due) FROM srv_later";
    DROP_LATER = "DELETE FROM srv_later WHERE due = ?1 AND run = ?2";
}

/// Puts a run behind those of its tenant with the same or a higher priority.
pub(crate) fn add(
    tx: &Tx<'_>,
    tenant: i64,
    priority: i64,
    ready: i64,
    run: &Id,
) -> Result<(), StoreError> {
    let values: [Value<'_>; 4] = [tenant.into(), (-priority).into(), ready.into(), run.into()];
    tx.execute(ADD, &values).map(|_| ())
}

/// Takes the first runs of a tenant out of the queue.
pub(crate) fn take(tx: &Tx<'_>, tenant: i64, count: i64) -> Result<Vec<Id>, StoreError> {
    let head = tx.query(HEAD, &[tenant.into(), count.into()], |row| {
        Ok((Id::of(row.get(0)?), row.get::<i64>(1)?, row.get::<i64>(2)?))
    })?;
    for (run, prio, ready) in &head {
        remove_row(tx, tenant, *prio, *ready, run)?;
    }
    Ok(head.into_iter().map(|(run, ..)| run).collect())
}

/// Takes one run out of the queue, wherever in it it stands. False if it is not there.
pub(crate) fn remove(
    tx: &Tx<'_>,
    tenant: i64,
    priority: i64,
    ready: i64,
    run: &Id,
) -> Result<bool, StoreError> {
    remove_row(tx, tenant, -priority, ready, run)
}

fn remove_row(
    tx: &Tx<'_>,
    tenant: i64,
    prio: i64,
    ready: i64,
    run: &Id,
) -> Result<bool, StoreError> {
    let values: [Value<'_>; 4] = [tenant.into(), prio.into(), ready.into(), run.into()];
    Ok(tx.execute(TAKE, &values)? == 1)
}

/// How many runs of each tenant wait for their turn.
pub(crate) fn counts(tx: &Tx<'_>) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.query(COUNTS, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Keeps a run until its time.
pub(crate) fn add_later(tx: &Tx<'_>, due: i64, run: &Id) -> Result<(), StoreError> {
    tx.execute(ADD_LATER, &[due.into(), run.into()]).map(|_| ())
}

/// Takes out the runs whose time has come.
pub(crate) fn take_due(tx: &Tx<'_>, limit: i64) -> Result<Vec<Id>, StoreError> {
    let due = tx.query(DUE, &[tx.now().into(), limit.into()], |row| {
        Ok((row.get::<i64>(0)?, Id::of(row.get(1)?)))
    })?;
    for (due, run) in &due {
        tx.execute(DROP_LATER, &[(*due).into(), run.into()])?;
    }
    Ok(due.into_iter().map(|(_, run)| run).collect())
}

/// Takes out a run that waits for its time. False if it is not there.
pub(crate) fn remove_later(tx: &Tx<'_>, due: i64, run: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(DROP_LATER, &[due.into(), run.into()])? == 1)
}

/// When the next run's time comes.
pub(crate) fn next_due(tx: &Tx<'_>) -> Result<Option<i64>, StoreError> {
    let next = tx.first(NEXT, &[], |row| row.get::<Option<i64>>(0))?;
    Ok(next.flatten())
}
