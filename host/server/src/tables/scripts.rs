//! Stored scripts: the versions of each, whose texts are among the sources.

use kael_store::{Row, StoreError, Tx, Value};

use super::{Scoped, retention, statements};

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
    DELETE = "DELETE FROM srv_scripts WHERE tenant = ?1 AND name = ?2 RETURNING digest";
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

/// Deletes all versions of a script, with the texts that nothing else has. What is left says which number was the last.
pub(crate) fn delete(
    tx: &Tx<'_>,
    scoped: Scoped,
    last: &VersionRow,
    by: &str,
) -> Result<(), StoreError> {
    let values = [scoped.0.into(), (&last.name).into()];
    let digests = tx.query(DELETE, &values, |row| row.get::<Option<[u8; 32]>>(0))?;
    // A run keeps its text, and so does another script that has the same. Those of runs go with them.
    for digest in digests.into_iter().flatten() {
        retention::drop_source(tx, scoped, &digest)?;
    }
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

#[cfg(test)]
mod tests {
    use kael_store::{Mode, Store};

    use super::super::{runs, sources};
    use super::*;
    use crate::api::run_row::{Named, queued};
    use crate::api::types::Submit;
    use crate::auth::Caller;
    use crate::id::Id;
    use crate::role::Role;

    const TENANT: Scoped = Scoped(1);

    fn version(name: &str, version: i64, digest: u8) -> VersionRow {
        VersionRow {
            name: name.to_owned(),
            version,
            digest: Some([digest; 32]),
            by: "ci".to_owned(),
            at: 1,
        }
    }

    #[test]
    fn the_texts_of_a_deleted_script_go_unless_something_else_has_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.db"), Mode::Exclusive).expect("a store");
        let caller = Caller {
            token: Id::new(),
            name: "ci".to_owned(),
            role: Role::Submitter,
            tenant: Some(1),
            csrf: None,
            expires: None,
        };
        let left = store.write(move |tx| {
            for digest in 1..=4 {
                sources::put(tx, TENANT, &[digest; 32], b"print(1)")?;
            }
            sources::put(tx, Scoped(2), &[1; 32], b"print(1)")?;
            // The first is the script's alone, the second is another's, too, and the third a run's.
            for row in [version("a", 1, 1), version("a", 2, 2), version("a", 3, 3)] {
                insert(tx, TENANT, &row)?;
            }
            insert(tx, TENANT, &version("b", 1, 2))?;
            let script = Named {
                name: "a".to_owned(),
                digest: [3; 32],
            };
            runs::insert(
                tx,
                &queued(&caller, 1, script, &Submit::default(), "api", 1),
            )?;
            delete(tx, TENANT, &version("a", 3, 3), "ci")?;
            let there = |tenant: i64, digest: u8| {
                sources::get(tx, Scoped(tenant), &[digest; 32]).map(|text| text.is_some())
            };
            let own = (1..=4).map(|digest| there(1, digest));
            Ok((own.collect::<Result<Vec<_>, _>>()?, there(2, 1)?))
        });
        let left = left.wait().expect("written");
        assert_eq!(left, (vec![false, true, true, true], true));
    }
}
