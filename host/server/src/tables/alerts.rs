//! What rules have found, as `kael-host rules run --server` sends it.

use kael_store::{StoreError, Tx, Value};

use super::{Scoped, statements};
use crate::id::Id;

/// An alert.
#[derive(Debug, Clone)]
pub(crate) struct AlertRow {
    pub(crate) id: Id,
    /// When it came.
    pub(crate) at: i64,
    /// Its id in the stream of its rule: one that is sent again is there once.
    pub(crate) alert: String,
    pub(crate) rule: String,
    /// From 0, the least.
    pub(crate) severity: i64,
    pub(crate) title: String,
    /// The whole alert as JSON text.
    pub(crate) body: String,
}

statements! {
    INSERT = "INSERT INTO srv_alerts (tenant, id, at, alert, rule, severity, title, body) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    LIST = "SELECT id, at, alert, rule, severity, title, body FROM srv_alerts \
            WHERE tenant = ?1 AND id < ?2 AND severity >= ?3 AND (?4 IS NULL OR rule = ?4) ORDER BY id DESC LIMIT ?5";
    GET = "SELECT id, at, alert, rule, severity, title, body FROM srv_alerts WHERE tenant = ?1 AND id = ?2";
    // The newest that is one too many, and all before it.
    OLDEST = "SELECT id FROM srv_alerts WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";
    PRUNE = "DELETE FROM srv_alerts WHERE tenant = ?1 AND id <= ?2";
}

/// Adds an alert. False if it is there.
pub(crate) fn insert(tx: &Tx<'_>, scoped: Scoped, row: &AlertRow) -> Result<bool, StoreError> {
    let values: [Value<'_>; 8] = [
        scoped.0.into(),
        (&row.id).into(),
        row.at.into(),
        (&row.alert).into(),
        (&row.rule).into(),
        row.severity.into(),
        (&row.title).into(),
        (&row.body).into(),
    ];
    Ok(tx.execute(INSERT, &values)? > 0)
}

/// Which alerts are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) before: Option<Id>,
    pub(crate) severity: i64,
    pub(crate) rule: Option<String>,
}

/// The newest alerts that are wanted.
pub(crate) fn list(
    tx: &Tx<'_>,
    scoped: Scoped,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<AlertRow>, StoreError> {
    let before = wanted.before.unwrap_or(Id::of([0xff; 16]));
    let values: [Value<'_>; 5] = [
        scoped.0.into(),
        (&before).into(),
        wanted.severity.into(),
        wanted.rule.as_deref().into(),
        limit.into(),
    ];
    tx.query(LIST, &values, row)
}

/// One alert.
pub(crate) fn get(tx: &Tx<'_>, scoped: Scoped, id: &Id) -> Result<Option<AlertRow>, StoreError> {
    tx.first(GET, &[scoped.0.into(), id.into()], row)
}

/// Removes the oldest alerts beyond `most`.
pub(crate) fn prune(tx: &Tx<'_>, scoped: Scoped, most: i64) -> Result<(), StoreError> {
    let oldest: Option<Id> = tx.first(OLDEST, &[scoped.0.into(), most.into()], |row| {
        Ok(Id::of(row.get(0)?))
    })?;
    match oldest {
        None => Ok(()),
        Some(id) => tx
            .execute(PRUNE, &[scoped.0.into(), (&id).into()])
            .map(drop),
    }
}

fn row(row: &kael_store::Row<'_, '_>) -> Result<AlertRow, StoreError> {
    Ok(AlertRow {
        id: Id::of(row.get(0)?),
        at: row.get(1)?,
        alert: row.get(2)?,
        rule: row.get(3)?,
        severity: row.get(4)?,
        title: row.get(5)?,
        body: row.get(6)?,
    })
}
