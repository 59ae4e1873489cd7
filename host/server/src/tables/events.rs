//! The events of a run, in their order: changes of its state, what it printed, its calls, its end.
//!
//! What a run printed is the bodies of its output events, one after the other.

use kael_store::{StoreError, Tx, Value};

use super::statements;
use crate::event::{Event, Kind};
use crate::id::Id;

statements! {
    INSERT = "INSERT INTO srv_events (run, seq, at, kind, off, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    AFTER = "SELECT seq, at, kind, off, body FROM srv_events WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    LAST = "SELECT seq, off FROM srv_events WHERE run = ?1 ORDER BY seq DESC LIMIT 1";
    OUTPUT = "SELECT off, body FROM srv_events WHERE run = ?1 AND kind = ?2 AND off > ?3 ORDER BY seq LIMIT ?4";
    COUNT = "SELECT count(*) FROM srv_events WHERE run = ?1 AND kind = ?2";
    OF_KIND = "SELECT seq, at, kind, off, body FROM srv_events WHERE run = ?1 AND kind = ?2 ORDER BY seq LIMIT ?3";
}

pub(crate) fn insert(tx: &Tx<'_>, run: &Id, event: &Event) -> Result<(), StoreError> {
    let values: [Value<'_>; 6] = [
        run.into(),
        event.seq.into(),
        event.at.into(),
        event.kind.code().into(),
        event.offset.into(),
        (&event.body).into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Adds an event behind the last one of a run that nothing is running.
pub(crate) fn append(
    tx: &Tx<'_>,
    run: &Id,
    kind: Kind,
    body: &serde_json::Value,
) -> Result<Event, StoreError> {
    let last = last(tx, run)?;
    let (seq, offset) = last.map_or((0, 0), |(seq, offset)| (seq + 1, offset));
    let event = Event {
        seq,
        at: tx.now(),
        kind,
        offset,
        body: body.to_string().into_bytes(),
    };
    insert(tx, run, &event)?;
    Ok(event)
}

/// The number of the last event of a run, and the bytes that the run had printed by then.
pub(crate) fn last(tx: &Tx<'_>, run: &Id) -> Result<Option<(i64, i64)>, StoreError> {
    tx.first(LAST, &[run.into()], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The events behind a number.
pub(crate) fn after(tx: &Tx<'_>, run: &Id, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
    tx.query(AFTER, &[run.into(), seq.into(), limit.into()], event)
}

/// All events of a kind, up to a number of them.
pub(crate) fn of_kind(
    tx: &Tx<'_>,
    run: &Id,
    kind: Kind,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    tx.query(
        OF_KIND,
        &[run.into(), kind.code().into(), limit.into()],
        event,
    )
}

/// How many events of a kind there are.
pub(crate) fn count(tx: &Tx<'_>, run: &Id, kind: Kind) -> Result<i64, StoreError> {
    let count = tx.first(COUNT, &[run.into(), kind.code().into()], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// Pieces of the output that end behind `from`: the position where each ends, and its bytes.
pub(crate) fn output(
    tx: &Tx<'_>,
    run: &Id,
    from: i64,
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let kind = Kind::Output.code();
    let values: [Value<'_>; 4] = [run.into(), kind.into(), from.into(), limit.into()];
    tx.query(OUTPUT, &values, |row| Ok((row.get(0)?, row.get(1)?)))
}

fn event(row: &kael_store::Row<'_, '_>) -> Result<Event, StoreError> {
    Ok(Event {
        seq: row.get(0)?,
        at: row.get(1)?,
        kind: Kind::of_code(row.get(2)?),
        offset: row.get(3)?,
        body: row.get(4)?,
    })
}
