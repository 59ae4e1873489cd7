//! Brings the tables of a file up to date.

use std::path::Path;

use rusqlite::Connection;

use crate::StoreError;
use crate::file::Files;

mod sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The number of the newest migration that a file has had, in SQLite's own header: a file that is up
/// to date costs one look at it.
const VERSION: &str = "PRAGMA user_version";

pub(crate) fn apply(
    connection: &mut Connection,
    files: &Files,
    path: &Path,
) -> Result<(), StoreError> {
    let runner = sqlite::migrations::runner();
    let newest = runner.get_migrations().iter().map(|one| one.version());
    let newest = newest.max().unwrap_or_default();
    let schema = |why: String| StoreError::Schema {
        path: path.to_owned(),
        why,
    };
    let found: i64 = connection.query_row(VERSION, [], |row| row.get(0))?;
    if found == i64::from(newest) {
        return Ok(());
    }
    if found > i64::from(newest) {
        let why = format!("its tables have version {found}, and this Kael knows {newest}");
        return Err(schema(why));
    }
    // Two processes may find the same old file: the second waits here, and has nothing to do.
    let _alone = files.alone()?;
    let found: i64 = connection.query_row(VERSION, [], |row| row.get(0))?;
    if found == i64::from(newest) {
        return Ok(());
    }
    let run = sqlite::migrations::runner().run(connection);
    run.map_err(|error| schema(error.to_string()))?;
    connection.pragma_update(None, "user_version", i64::from(newest))?;
    Ok(())
}
