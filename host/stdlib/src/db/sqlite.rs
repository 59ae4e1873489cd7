//! A file of SQLite, open for one call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, OpenFlags};
use serde_json::{Value, json};

use kael_engine::executor::granted::{Places, Refused, Use, by_descriptor};
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::units::ByteSize;

use super::{Statement, Work, guard, value};
use crate::refusal::invalid;
use crate::running::Running;

/// How long a call waits for another that writes.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of all rows of an answer.
const MAX_ANSWER: usize = 16 << 20;

/// The file that a URL names: `sqlite:data/x.db`, `sqlite:///srv/x.db`.
pub(super) fn file_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let is_file = !path.is_empty() && !path.starts_with(':') && !path.ends_with('/');
    is_file.then_some(path)
}

/// Does the work of a call.
pub(super) fn run(
    file: &str,
    places: &Places,
    work: &Work,
    running: Running,
) -> Result<Vec<u8>, ActionError> {
    let path = real(file, places, work.reads)?;
    let access = match work.reads {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(&path, flags).map_err(|error| {
        let message = format!("the database cannot be opened: {}", said(&error));
        ActionError::unavailable(message, None)
    })?;
    let answer = prepared(&connection, running).and_then(|()| match work.reads {
        true => query(&connection, &work.statements[0], work.max_rows),
        false => execute(&connection, &work.statements),
    });
    let answer = answer.map_err(Failure::error)?;
    Ok(answer.to_string().into_bytes())
}

/// The real path of a file, whose folder lies where scripts may be let in.
fn real(file: &str, places: &Places, reads: bool) -> Result<PathBuf, ActionError> {
    let path = Path::new(file);
    let refused = |why: String| ActionError::unavailable(why, None);
    let (Some(name), folder) = (path.file_name(), path.parent()) else {
        return Err(refused(format!("the database `{file}` is no file")));
    };
    let folder = match folder.map(Path::to_string_lossy) {
        Some(folder) if !folder.is_empty() => folder.into_owned(),
        _ => ".".to_owned(),
    };
    let purpose = if reads { Use::Read } else { Use::Write };
    let opened = places.open(&folder, purpose);
    let opened = opened.map_err(|why| match why {
        Refused::Missing => refused(format!("the folder `{folder}` of a database is not there")),
        Refused::For(why) => refused(format!("the folder `{folder}` of a database {why}")),
    })?;
    let folder = std::fs::read_link(by_descriptor(&opened));
    let folder = folder.map_err(|error| refused(error.to_string()))?;
    Ok(folder.join(name))
}

/// Why a call failed.
#[derive(Debug)]
enum Failure {
    Sqlite(Error),
    Asked(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn error(self) -> ActionError {
        match self {
            Self::Asked(why) => invalid(why),
            Self::Sqlite(error) => ActionError::new(ErrorKind::Failed, said(&error)),
        }
    }
}

/// What SQLite says of a statement that the guard refuses.
const REFUSED: &str = "not authorized";

/// SQLite's own words.
fn said(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(words)) if words.starts_with(REFUSED) => {
            "the statement does what no script may: other files, transactions of its own, or settings of the database".to_owned()
        }
        Error::SqliteFailure(_, Some(words)) => words.clone(),
        Error::SqlInputError { msg, .. } if msg.starts_with(REFUSED) => {
            "the statement does what no script may: other files, transactions of its own, or settings of the database".to_owned()
        }
        Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

fn prepared(connection: &Connection, running: Running) -> Result<(), Failure> {
    connection.busy_timeout(BUSY)?;
    guard::bound(connection, running)?;
    Ok(())
}

fn query(connection: &Connection, asked: &Statement, max_rows: usize) -> Result<Value, Failure> {
    guard::watch(connection)?;
    let mut statement = connection.prepare(&asked.sql)?;
    if !statement.readonly() {
        let why = "db.query only reads: use db.execute for what changes something";
        return Err(Failure::Asked(why.to_owned()));
    }
    let columns: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    bind(&mut statement, &asked.params)?;
    let mut rows = statement.raw_query();
    let (mut list, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if list.len() == max_rows {
            let why = format!(
                "the answer has more than {max_rows} rows, which the grant allows (`max_rows`): ask for fewer with LIMIT"
            );
            return Err(Failure::Asked(why));
        }
        let mut values = Vec::with_capacity(columns.len());
        for at in 0..columns.len() {
            let value = row.get_ref(at)?;
            size += value::size(&value);
            if size > MAX_ANSWER {
                let most = ByteSize::new(MAX_ANSWER as u64);
                return Err(Failure::Asked(format!("the answer has more than {most}")));
            }
            values.push(value::json(value));
        }
        list.push(Value::Array(values));
    }
    Ok(json!({ "columns": columns, "rows": list }))
}

/// Runs statements in one transaction: all of them, or none.
fn execute(connection: &Connection, statements: &[Statement]) -> Result<Value, Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    guard::watch(connection)?;
    let mut done = Vec::with_capacity(statements.len());
    for asked in statements {
        let mut statement = connection.prepare(&asked.sql)?;
        bind(&mut statement, &asked.params)?;
        let before = connection.total_changes();
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        let changed = connection.total_changes() - before;
        done.push(
            json!({ "rows_affected": changed, "last_insert_id": connection.last_insert_rowid() }),
        );
    }
    guard::unwatch(connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(Value::Array(done))
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> Result<(), Failure> {
    let wanted = statement.parameter_count();
    if wanted != params.len() {
        let why = format!(
            "the statement has {wanted} places for parameters, and {} are given",
            params.len()
        );
        return Err(Failure::Asked(why));
    }
    for (at, value) in params.iter().enumerate() {
        let value = value::parameter(value)
            .map_err(|why| Failure::Asked(format!("parameter {}: {why}", at + 1)))?;
        statement.raw_bind_parameter(at + 1, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = Connection::open(folder.path().join("x.db")).expect("a database");
        let (running, stop) = Running::new();
        std::mem::forget(stop);
        prepared(&connection, running).expect("bounds");
        (folder, connection)
    }

    fn asked(sql: &str) -> Statement {
        Statement {
            sql: sql.to_owned(),
            params: Vec::new(),
        }
    }

    #[test]
    fn urls_name_files() {
        assert_eq!(file_of("sqlite:data/x.db"), Some("data/x.db"));
        assert_eq!(file_of("sqlite:///srv/x.db"), Some("/srv/x.db"));
        for url in [
            "sqlite::memory:",
            "sqlite:",
            "postgres://x/y",
            "sqlite:///srv/",
        ] {
            assert_eq!(file_of(url), None, "{url}");
        }
    }

    #[test]
    fn no_statement_leaves_its_database() {
        let (folder, connection) = open();
        let other = folder.path().join("other.db").display().to_string();
        for sql in [
            &format!("ATTACH '{other}' AS o"),
            &format!("VACUUM INTO '{other}'"),
            "PRAGMA writable_schema = 1",
            "PRAGMA journal_mode = off",
            "PRAGMA temp_store_directory = '/tmp'",
            "SELECT load_extension('x')",
            "COMMIT",
            "BEGIN",
            "SAVEPOINT a",
            "CREATE VIRTUAL TABLE v USING fts5(x)",
            "CREATE TABLE a (x); CREATE TABLE b (x)",
        ] {
            assert!(execute(&connection, &[asked(sql)]).is_err(), "{sql}");
            guard::unwatch(&connection).expect("unwatched");
            connection.execute_batch("ROLLBACK").ok();
        }
        assert!(!Path::new(&other).exists());
    }

    #[test]
    fn a_call_that_is_over_ends_its_statement() {
        let (_folder, connection) = open();
        let (running, stop) = Running::new();
        guard::bound(&connection, running).expect("bounds");
        drop(stop);
        let bomb = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        assert!(query(&connection, &asked(bomb), 10).is_err());
    }

    #[test]
    fn answers_and_values_are_bounded() {
        let (_folder, connection) = open();
        let many =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        assert!(query(&connection, &asked(many), 10).is_err());
        assert!(query(&connection, &asked("SELECT zeroblob(100000000)"), 10).is_err());
        let several = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(1000000) FROM n";
        assert!(query(&connection, &asked(several), 100_000).is_err());
        assert!(query(&connection, &asked("DELETE FROM sqlite_schema"), 10).is_err());
    }
}
