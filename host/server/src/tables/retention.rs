//! What is removed of runs that are over, and how many bytes a tenant has in the store.
//!
//! A run loses its events, its journal and its result first, and its row later. Age is never enough: a run that is
//! not over loses nothing. Bytes are counted by triggers of the database, so that they are exact.

use kael_engine::run_info::RunId;
use kael_runs::server;
use kael_store::{StoreError, Tx, Value};

use super::{Scoped, statements};
use crate::id::Id;

statements! {
    KEPT = "SELECT kept FROM srv_runs WHERE id = ?1";
    BYTES = "SELECT bytes FROM srv_storage WHERE tenant = ?1";
    EVERY_BYTES = "SELECT tenant, bytes FROM srv_storage ORDER BY tenant";
    WHOLE = "SELECT id FROM srv_runs WHERE tenant = ?1 AND ended < ?2 AND ended IS NOT NULL AND kept > 0 \
             AND state IN (2, 3, 4) ORDER BY ended LIMIT ?3";
    MARK = "UPDATE srv_runs SET kept = ?2 WHERE id = ?1";
    STRIP = "DELETE FROM srv_events WHERE run = ?1 AND seq IN \
             (SELECT seq FROM srv_events WHERE run = ?1 ORDER BY seq LIMIT ?2)";
    DROP_RESULT = "DELETE FROM srv_results WHERE run = ?1";
    SUMMARIES = "SELECT id, source FROM srv_runs WHERE tenant = ?1 AND ended < ?2 AND ended IS NOT NULL AND kept = 0 \
                 AND state IN (2, 3, 4) ORDER BY ended LIMIT ?3";
    DROP_RUN = "DELETE FROM srv_runs WHERE id = ?1";
    DROP_TRACE = "DELETE FROM srv_traces WHERE run = ?1";
    // Every table that refers to a script by its digest is named here.
    DROP_SOURCE = "DELETE FROM srv_sources WHERE tenant = ?1 AND digest = ?2 \
                   AND NOT EXISTS (SELECT 1 FROM srv_runs WHERE tenant = ?1 AND source = ?2) \
                   AND NOT EXISTS (SELECT 1 FROM srv_scripts WHERE tenant = ?1 AND digest = ?2)";
    STRANDED = "SELECT count(*) FROM srv_runs WHERE state = 0 AND NOT EXISTS \
                (SELECT 1 FROM srv_queue WHERE tenant = srv_runs.tenant AND prio = -srv_runs.priority \
                 AND ready = srv_runs.ready AND run = srv_runs.id) \
                AND NOT EXISTS (SELECT 1 FROM srv_later WHERE due = srv_runs.ready AND run = srv_runs.id)";
    NEWEST = "SELECT max(at) FROM srv_audit";
}

/// What one transaction has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Runs whose events and result are gone.
    pub(crate) stripped: u64,
    /// Runs that are gone.
    pub(crate) runs: u64,
    /// Whether there may be more to remove.
    pub(crate) more: bool,
}

/// Whether the events and the result of a run are there.
pub(crate) fn is_whole(tx: &Tx<'_>, run: &Id) -> Result<bool, StoreError> {
    let kept = tx.first(KEPT, &[run.into()], |row| row.get::<i64>(0))?;
    Ok(kept == Some(2))
}

/// Bytes of a tenant's scripts, schedules, fires, deliveries that wait, events, journals and results.
pub(crate) fn bytes(tx: &Tx<'_>, scoped: Scoped) -> Result<i64, StoreError> {
    let bytes = tx.first(BYTES, &[scoped.0.into()], |row| row.get(0))?;
    Ok(bytes.unwrap_or(0))
}

/// How much a tenant has in the store, if that is as much as it may have.
pub(crate) fn used_up(
    tx: &Tx<'_>,
    scoped: Scoped,
    storage: u64,
) -> Result<Option<u64>, StoreError> {
    let used = u64::try_from(bytes(tx, scoped)?).unwrap_or(0);
    Ok((used >= storage).then_some(used))
}

/// The same of all tenants.
pub(crate) fn every_bytes(tx: &Tx<'_>) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.query(EVERY_BYTES, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Removes the events and results of runs that ended before a time: of as many runs, and as many events.
pub(crate) fn strip(
    tx: &Tx<'_>,
    scoped: Scoped,
    before: i64,
    runs: i64,
    events: i64,
) -> Result<Removed, StoreError> {
    let values: [Value<'_>; 3] = [scoped.0.into(), before.into(), runs.into()];
    let ids = tx.query(WHOLE, &values, |row| Ok(Id::of(row.get(0)?)))?;
    let mut removed = Removed {
        more: ids.len() as i64 == runs,
        ..Removed::default()
    };
    let mut room = events;
    for id in &ids {
        if room <= 0 {
            removed.more = true;
            break;
        }
        let run = RunId::from_bytes(*id.bytes());
        let gone = tx.execute(STRIP, &[id.into(), room.into()])? as i64;
        let of_journal = server::remove_entries(tx, run, room - gone)?;
        let is_done = gone + of_journal < room;
        room -= gone + of_journal;
        // A run that has more events is not whole from now on, and goes on in the next transaction.
        tx.execute(MARK, &[id.into(), i64::from(!is_done).into()])?;
        removed.more |= !is_done;
        if is_done {
            server::remove(tx, scoped.0, run)?;
            tx.execute(DROP_RESULT, &[id.into()])?;
            removed.stripped += 1;
        }
    }
    Ok(removed)
}

/// Removes runs that ended before a time and have lost their events, and scripts that no run has.
pub(crate) fn drop_runs(
    tx: &Tx<'_>,
    scoped: Scoped,
    before: i64,
    runs: i64,
) -> Result<Removed, StoreError> {
    let values: [Value<'_>; 3] = [scoped.0.into(), before.into(), runs.into()];
    let found = tx.query(SUMMARIES, &values, |row| {
        Ok((Id::of(row.get(0)?), row.get::<[u8; 32]>(1)?))
    })?;
    for (id, source) in &found {
        server::remove(tx, scoped.0, RunId::from_bytes(*id.bytes()))?;
        tx.execute(DROP_RUN, &[id.into()])?;
        tx.execute(DROP_TRACE, &[id.into()])?;
        drop_source(tx, scoped, source)?;
    }
    Ok(Removed {
        runs: found.len() as u64,
        more: found.len() as i64 == runs,
        ..Removed::default()
    })
}

/// Removes the text of a script that nothing refers to any more.
pub(crate) fn drop_source(
    tx: &Tx<'_>,
    scoped: Scoped,
    digest: &[u8; 32],
) -> Result<(), StoreError> {
    let values = [scoped.0.into(), digest.into()];
    tx.execute(DROP_SOURCE, &values).map(|_| ())
}

/// Runs that wait for their turn or their time, and stand in no queue: they would never begin.
pub(crate) fn stranded(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let count = tx.first(STRANDED, &[], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// The newest time in the record of what people did.
pub(crate) fn newest(tx: &Tx<'_>) -> Result<Option<i64>, StoreError> {
    let newest = tx.first(NEWEST, &[], |row| row.get::<Option<i64>>(0))?;
    Ok(newest.flatten())
}

#[cfg(test)]
mod tests {
    use kael_store::{Mode, Store};

    use super::DROP_SOURCE;

    /// A table that is not looked at would lose its scripts with the runs that have them.
    #[test]
    fn scripts_that_something_refers_to_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.db"), Mode::Exclusive).expect("a store");
        let tables = "SELECT DISTINCT tables.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
                      WHERE tables.type = 'table' AND tables.name LIKE 'srv_%' AND columns.name IN ('digest', 'source')";
        let found = store.read_blocking(|tx| tx.query(tables, &[], |row| row.get::<String>(0)));
        for table in found.expect("tables") {
            assert!(
                DROP_SOURCE.contains(&table),
                "{table} refers to scripts, and is not in DROP_SOURCE"
            );
        }
    }
}
