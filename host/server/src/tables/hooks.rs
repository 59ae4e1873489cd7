//! Webhooks that come in: a stored script each, and the key of their signatures.

use kael_store::{Row, StoreError, Tx, Value};

use super::{Scoped, statements, tokens};
use crate::id::Id;

/// A webhook as the store has it.
#[derive(Clone)]
pub(crate) struct HookRow {
    pub(crate) id: Id,
    pub(crate) tenant: i64,
    pub(crate) name: String,
    /// `NAME` or `NAME@VERSION`.
    pub(crate) script: String,
    /// The key of signatures.
    pub(crate) secret: String,
    /// Who made it: the token, in the store the first one of its family, and its name.
    pub(crate) token: Id,
    pub(crate) submitter: String,
    pub(crate) created: i64,
    pub(crate) last_used: Option<i64>,
}

statements! {
    INSERT = "INSERT INTO srv_hooks (id, tenant, name, script, secret, token, submitter, created) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    ANY = "SELECT id, tenant, name, script, secret, token, submitter, created, last_used FROM srv_hooks WHERE id = ?1";
    LIST = "SELECT id, tenant, name, script, secret, token, submitter, created, last_used FROM srv_hooks WHERE tenant = ?1 ORDER BY name";
    USED = "UPDATE srv_hooks SET last_used = ?2 WHERE id = ?1";
    DELETE = "DELETE FROM srv_hooks WHERE tenant = ?1 AND id = ?2";
}

/// Adds a webhook. False if the tenant has one of that name.
pub(crate) fn insert(tx: &Tx<'_>, row: &HookRow) -> Result<bool, StoreError> {
    let person = tokens::root(tx, &row.token)?;
    let values: [Value<'_>; 8] = [
        (&row.id).into(),
        row.tenant.into(),
        (&row.name).into(),
        (&row.script).into(),
        (&row.secret).into(),
        (&person).into(),
        (&row.submitter).into(),
        row.created.into(),
    ];
    Ok(tx.execute(INSERT, &values)? == 1)
}

/// A webhook of any tenant: who sends to it shows by a signature that it is the right one.
pub(crate) fn any(tx: &Tx<'_>, id: &Id) -> Result<Option<HookRow>, StoreError> {
    tx.first(ANY, &[id.into()], row)
}

pub(crate) fn list(tx: &Tx<'_>, scoped: Scoped) -> Result<Vec<HookRow>, StoreError> {
    tx.query(LIST, &[scoped.0.into()], row)
}

pub(crate) fn used(tx: &Tx<'_>, id: &Id) -> Result<(), StoreError> {
    tx.execute(USED, &[id.into(), tx.now().into()]).map(|_| ())
}

/// Deletes a webhook. False if the tenant has none of that id.
pub(crate) fn delete(tx: &Tx<'_>, scoped: Scoped, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[scoped.0.into(), id.into()])? == 1)
}

fn row(row: &Row<'_, '_>) -> Result<HookRow, StoreError> {
    Ok(HookRow {
        id: Id::of(row.get(0)?),
        tenant: row.get(1)?,
        name: row.get(2)?,
        script: row.get(3)?,
        secret: row.get(4)?,
        token: Id::of(row.get(5)?),
        submitter: row.get(6)?,
        created: row.get(7)?,
        last_used: row.get(8)?,
    })
}
