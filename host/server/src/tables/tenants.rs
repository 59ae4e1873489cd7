//! Tenants.

use kael_store::{Row, StoreError, Tx, Value};

use super::statements;

/// A tenant as the store has it.
#[derive(Debug, Clone)]
pub(crate) struct TenantRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Its settings as JSON.
    pub(crate) settings: String,
    pub(crate) created: i64,
    pub(crate) disabled: bool,
}

statements! {
    ALL_TENANTS = "SELECT id, name, settings, created, disabled FROM srv_tenants ORDER BY name";
    INSERT = "INSERT INTO srv_tenants (name, settings, created, disabled) VALUES (?1, ?2, ?3, ?4)";
    BY_NAME = "SELECT id, name, settings, created, disabled FROM srv_tenants WHERE name = ?1";
    UPDATE = "UPDATE srv_tenants SET settings = ?2, disabled = ?3 WHERE name = ?1";
    ENABLED = "SELECT 1 FROM srv_tenants WHERE id = ?1 AND disabled = 0";
}

pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<TenantRow>, StoreError> {
    tx.query(ALL_TENANTS, &[], row)
}

pub(crate) fn by_name(tx: &Tx<'_>, name: &str) -> Result<Option<TenantRow>, StoreError> {
    tx.first(BY_NAME, &[name.into()], row)
}

/// Whether a tenant may do anything.
pub(crate) fn is_enabled(tx: &Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let found = tx.first(ENABLED, &[id.into()], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// Adds a tenant, or gives one that is there other settings.
pub(crate) fn put(
    tx: &Tx<'_>,
    name: &str,
    settings: &str,
    disabled: bool,
) -> Result<TenantRow, StoreError> {
    let values: [Value<'_>; 3] = [name.into(), settings.into(), i64::from(disabled).into()];
    if tx.execute(UPDATE, &values)? == 0 {
        let values: [Value<'_>; 4] = [
            name.into(),
            settings.into(),
            tx.now().into(),
            i64::from(disabled).into(),
        ];
        tx.execute(INSERT, &values)?;
    }
    let found = by_name(tx, name)?;
    found.ok_or_else(|| StoreError::Conflict(format!("the tenant `{name}` was not kept")))
}

fn row(row: &Row<'_, '_>) -> Result<TenantRow, StoreError> {
    Ok(TenantRow {
        id: row.get(0)?,
        name: row.get(1)?,
        settings: row.get(2)?,
        created: row.get(3)?,
        disabled: row.get::<i64>(4)? != 0,
    })
}
