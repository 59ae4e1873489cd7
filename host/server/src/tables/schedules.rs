//! Schedules: what they run, and when they fire next.

use kael_store::{Row, StoreError, Tx, Value};

use super::{Scoped, statements, tokens};
use crate::id::Id;

/// A schedule as the store has it.
#[derive(Debug, Clone)]
pub(crate) struct ScheduleRow {
    pub(crate) id: Id,
    pub(crate) tenant: i64,
    pub(crate) name: String,
    /// From 1; each change of its settings counts.
    pub(crate) version: i64,
    /// Its settings as JSON.
    pub(crate) settings: String,
    /// Who put it: the token, and its name.
    pub(crate) token: Id,
    pub(crate) submitter: String,
    pub(crate) paused: bool,
    /// The time of the next fire.
    pub(crate) due: Option<i64>,
    /// The same, later by the schedule's part of its jitter; none while it is paused.
    pub(crate) wake: Option<i64>,
    /// The time of the last fire.
    pub(crate) last_fire: Option<i64>,
    pub(crate) created: i64,
    pub(crate) changed: i64,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, name, version, settings, token, submitter, paused, due, wake, last_fire, created, changed \
             FROM srv_schedules ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO srv_schedules (id, tenant, name, version, settings, token, submitter, paused, due, wake, last_fire, \
              created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    UPDATE = "UPDATE srv_schedules SET version = ?2, settings = ?3, token = ?4, submitter = ?5, paused = ?6, due = ?7, wake = ?8, \
              changed = ?9 WHERE id = ?1";
    FIRED = "UPDATE srv_schedules SET due = ?2, wake = ?3, last_fire = ?4 WHERE id = ?1";
    GET = columns!("WHERE tenant = ?1 AND name = ?2");
    ANY = columns!("WHERE id = ?1");
    LIST = columns!("WHERE tenant = ?1 ORDER BY name");
    PAGE = columns!("WHERE tenant = ?1 AND name > ?2 ORDER BY name LIMIT ?3");
    COUNT = "SELECT count(*) FROM srv_schedules WHERE tenant = ?1";
    EVERY = columns!("ORDER BY id");
    DUE = columns!("WHERE wake <= ?1 ORDER BY wake LIMIT ?2");
    NEXT_WAKE = "SELECT min(wake) FROM srv_schedules WHERE wake IS NOT NULL";
    DELETE = "DELETE FROM srv_schedules WHERE id = ?1";
}

pub(crate) fn insert(tx: &Tx<'_>, row: &ScheduleRow) -> Result<(), StoreError> {
    let person = tokens::root(tx, &row.token)?;
    let values: [Value<'_>; 13] = [
        (&row.id).into(),
        row.tenant.into(),
        (&row.name).into(),
        row.version.into(),
        (&row.settings).into(),
        (&person).into(),
        (&row.submitter).into(),
        i64::from(row.paused).into(),
        row.due.into(),
        row.wake.into(),
        row.last_fire.into(),
        row.created.into(),
        row.changed.into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// Writes what a person changed.
pub(crate) fn update(tx: &Tx<'_>, row: &ScheduleRow) -> Result<(), StoreError> {
    let person = tokens::root(tx, &row.token)?;
    let values: [Value<'_>; 9] = [
        (&row.id).into(),
        row.version.into(),
        (&row.settings).into(),
        (&person).into(),
        (&row.submitter).into(),
        i64::from(row.paused).into(),
        row.due.into(),
        row.wake.into(),
        row.changed.into(),
    ];
    tx.execute(UPDATE, &values).map(|_| ())
}

/// Writes when a schedule fires next, and when it last did.
pub(crate) fn fired(
    tx: &Tx<'_>,
    id: &Id,
    due: Option<i64>,
    wake: Option<i64>,
    last_fire: Option<i64>,
) -> Result<(), StoreError> {
    let values: [Value<'_>; 4] = [id.into(), due.into(), wake.into(), last_fire.into()];
    tx.execute(FIRED, &values).map(|_| ())
}

pub(crate) fn get(
    tx: &Tx<'_>,
    scoped: Scoped,
    name: &str,
) -> Result<Option<ScheduleRow>, StoreError> {
    tx.first(GET, &[scoped.0.into(), name.into()], row)
}

/// A schedule of any tenant, for the scheduler.
pub(crate) fn any(tx: &Tx<'_>, id: &Id) -> Result<Option<ScheduleRow>, StoreError> {
    tx.first(ANY, &[id.into()], row)
}

pub(crate) fn list(tx: &Tx<'_>, scoped: Scoped) -> Result<Vec<ScheduleRow>, StoreError> {
    tx.query(LIST, &[scoped.0.into()], row)
}

/// The schedules whose names are behind another one.
pub(crate) fn page(
    tx: &Tx<'_>,
    scoped: Scoped,
    behind: &str,
    limit: i64,
) -> Result<Vec<ScheduleRow>, StoreError> {
    tx.query(PAGE, &[scoped.0.into(), behind.into(), limit.into()], row)
}

/// How many schedules a tenant has.
pub(crate) fn count(tx: &Tx<'_>, scoped: Scoped) -> Result<i64, StoreError> {
    let count = tx.first(COUNT, &[scoped.0.into()], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// The schedules of all tenants.
pub(crate) fn every(tx: &Tx<'_>) -> Result<Vec<ScheduleRow>, StoreError> {
    tx.query(EVERY, &[], row)
}

/// The schedules of all tenants whose time has come.
pub(crate) fn due(tx: &Tx<'_>, now: i64, limit: i64) -> Result<Vec<ScheduleRow>, StoreError> {
    tx.query(DUE, &[now.into(), limit.into()], row)
}

/// When the next schedule's time comes.
pub(crate) fn next_wake(tx: &Tx<'_>) -> Result<Option<i64>, StoreError> {
    let next = tx.first(NEXT_WAKE, &[], |row| row.get::<Option<i64>>(0))?;
    Ok(next.flatten())
}

pub(crate) fn delete(tx: &Tx<'_>, id: &Id) -> Result<(), StoreError> {
    tx.execute(DELETE, &[id.into()]).map(|_| ())
}

fn row(row: &Row<'_, '_>) -> Result<ScheduleRow, StoreError> {
    Ok(ScheduleRow {
        id: Id::of(row.get(0)?),
        tenant: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        settings: row.get(4)?,
        token: Id::of(row.get(5)?),
        submitter: row.get(6)?,
        paused: row.get::<i64>(7)? != 0,
        due: row.get(8)?,
        wake: row.get(9)?,
        last_fire: row.get(10)?,
        created: row.get(11)?,
        changed: row.get(12)?,
    })
}
