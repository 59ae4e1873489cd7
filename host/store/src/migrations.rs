//! Brings the tables of a file up to date.

use std::path::Path;

use refinery_core::{Migration, Runner};
use rusqlite::Connection;

use crate::StoreError;

/// The name and the text of each.
const ALL: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The number of the newest migration that a file has had, in SQLite's own header: a file that is up
/// to date costs one look at it.
const VERSION: &str = "PRAGMA user_version";

pub(crate) fn apply(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let schema = |why: String| StoreError::Schema {
        path: path.to_owned(),
        why,
    };
    let newest = ALL.iter().filter_map(|(name, _)| number_of(name)).max();
    let newest = newest.unwrap_or_default();
    let found = version_of(connection)?;
    if found == i64::from(newest) {
        return Ok(());
    }
    if found > i64::from(newest) {
        let why = format!("its tables have version {found}, and this Kael knows {newest}");
        return Err(schema(why));
    }
    let migrations = ALL
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql));
    let migrations = migrations.collect::<Result<Vec<_>, _>>();
    let migrations = migrations.map_err(|error| schema(error.to_string()))?;
    let run = Runner::new(&migrations).run(connection);
    run.map_err(|error| schema(error.to_string()))?;
    connection.pragma_update(None, "user_version", i64::from(newest))?;
    Ok(())
}

/// The number of the newest migration that a file has had.
pub(crate) fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(VERSION, [], |row| row.get(0))
}

/// The number in the name of a migration, such as `V1__runs`.
fn number_of(name: &str) -> Option<u32> {
    let (number, _) = name.strip_prefix('V')?.split_once("__")?;
    number.parse().ok()
}
