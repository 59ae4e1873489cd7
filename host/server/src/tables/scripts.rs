//! Stored scripts: the versions of each, whose texts are among the sources.

use kael_store::{Row, StoreError, Tx, Value};

use super::{Scoped, statements};

/// A version of a script.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) name: String,
    /// From 1.
    pub(crate) version: i64,
    /// The SHA-256 of its text; none if the script was deleted then.
    pub(crate) digest: Option<[u8; 32]>,
    /// Who put it.
    pub(crate) by: String,
    pub(crate) at: i64,
}

statements! {
    INSERT = "INSERT INTO srv_scripts (tenant, name, version, digest, by, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    NEWEST = "SELECT name, version, digest, by, at FROM srv_scripts WHERE tenant = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1";
    VERSION = "SELECT name, version, digest, by, at FROM srv_scripts WHERE tenant = ?1 AND name = ?2 AND version = ?3";
    VERSIONS = "SELECT name, version, digest, by, at FROM srv_scripts \
                WHERE tenant = ?1 AND name = ?2 AND digest IS NOT NULL ORDER BY version DESC LIMIT ?3";
    COUNT = "SELECT count(*) FROM srv_scripts WHERE tenant = ?1 AND name = ?2";
    LIST = "SELECT name, version, digest, by, at FROM srv_scripts AS newest WHERE tenant = ?1 AND digest IS NOT NULL \
            AND version = (SELECT max(version) FROM srv_scripts WHERE tenant = ?1 AND name = newest.name) ORDER BY name";
    DELETE = "DELETE FROM srv_scripts WHERE tenant = ?1 AND name = ?2";
}

/// Adds a version.
pub(crate) fn insert(tx: &Tx<'_>, scoped: Scoped, row: &VersionRow) -> Result<(), StoreError> {
    let values: [Value<'_>; 6] = [
        scoped.0.into(),
        (&row.name).into(),
        row.version.into(),
        row.digest.as_ref().into(),
        (&row.by).into(),
        row.at.into(),
    ];
    tx.execute(INSERT, &values).map(|_| ())
}

/// The newest version of a name, which may say that the script was deleted.
pub(crate) fn newest(
    tx: &Tx<'_>,
    scoped: Scoped,
    name: &str,
) -> Result<Option<VersionRow>, StoreError> {
    tx.first(NEWEST, &[scoped.0.into(), name.into()], row)
}

/// A version of a script: the newest one without a number. None if the script is deleted.
pub(crate) fn get(
    tx: &Tx<'_>,
    scoped: Scoped,
    name: &str,
    version: Option<i64>,
) -> Result<Option<VersionRow>, StoreError> {
    let found = match version {
        None => newest(tx, scoped, name)?,
        Some(version) => {
            let values: [Value<'_>; 3] = [scoped.0.into(), name.into(), version.into()];
            tx.first(VERSION, &values, row)?
        }
    };
    Ok(found.filter(|row| row.digest.is_some()))
}

/// The versions of a script, the newest first.
pub(crate) fn versions(
    tx: &Tx<'_>,
    scoped: Scoped,
    name: &str,
    limit: i64,
) -> Result<Vec<VersionRow>, StoreError> {
    tx.query(VERSIONS, &[scoped.0.into(), name.into(), limit.into()], row)
}

/// How many versions a script has.
pub(crate) fn count(tx: &Tx<'_>, scoped: Scoped, name: &str) -> Result<i64, StoreError> {
    let count = tx.first(COUNT, &[scoped.0.into(), name.into()], |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// The newest version of each script.
pub(crate) fn list(tx: &Tx<'_>, scoped: Scoped) -> Result<Vec<VersionRow>, StoreError> {
    tx.query(LIST, &[scoped.0.into()], row)
}

/// Deletes all versions of a script. What is left says which number was the last.
pub(crate) fn delete(
    tx: &Tx<'_>,
    scoped: Scoped,
    last: &VersionRow,
    by: &str,
) -> Result<(), StoreError> {
    tx.execute(DELETE, &[scoped.0.into(), (&last.name).into()])?;
    let mark = VersionRow {
        name: last.name.clone(),
        version: last.version + 1,
        digest: None,
        by: by.to_owned(),
        at: tx.now(),
    };
    insert(tx, scoped, &mark)
}

fn row(row: &Row<'_, '_>) -> Result<VersionRow, StoreError> {
    Ok(VersionRow {
        name: row.get(0)?,
        version: row.get(1)?,
        digest: row.get(2)?,
        by: row.get(3)?,
        at: row.get(4)?,
    })
}
