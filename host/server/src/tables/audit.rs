//! The record of what people did to the server: who, what, to which thing.

use kael_store::{StoreError, Tx, Value};

use super::statements;
use crate::id::Id;

/// One thing that was done.
#[derive(Debug, Clone)]
pub(crate) struct AuditRow {
    pub(crate) id: Id,
    pub(crate) at: i64,
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) object: String,
    /// JSON.
    pub(crate) detail: String,
}

statements! {
    INSERT = "INSERT INTO srv_audit (id, tenant, at, who, what, object, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    LIST = "SELECT id, at, who, what, object, detail FROM srv_audit \
            WHERE (?1 IS NULL OR tenant = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3";
}

/// Adds a row to the record, in the transaction of what was done.
pub(crate) fn add(
    tx: &Tx<'_>,
    tenant: Option<i64>,
    who: &str,
    what: &str,
    object: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    let (id, detail) = (Id::new(), detail.to_string());
    let values: [Value<'_>; 7] = [
        (&id).into(),
        tenant.into(),
        tx.now().into(),
        who.into(),
        what.into(),
        object.into(),
        (&detail).into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// The newest rows before an id: of a tenant, or all.
pub(crate) fn list(
    tx: &Tx<'_>,
    tenant: Option<i64>,
    before: Option<Id>,
    limit: i64,
) -> Result<Vec<AuditRow>, StoreError> {
    let before = before.unwrap_or(Id::of([0xff; 16]));
    let values: [Value<'_>; 3] = [tenant.into(), (&before).into(), limit.into()];
    tx.query(LIST, &values, |row| {
        Ok(AuditRow {
            id: Id::of(row.get(0)?),
            at: row.get(1)?,
            who: row.get(2)?,
            what: row.get(3)?,
            object: row.get(4)?,
            detail: row.get(5)?,
        })
    })
}
