//! The child process: opens a file of SQLite for one call, and does its work.
//!
//! SQLite reads what others have written, and keeps what it sorts in memory. In a process of its own
//! it can do no more to the host than its limits and its confinement allow.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use serde_json::{Value, json};

use kael_engine::units::ByteSize;

use super::process::{MEMORY, Reply, Work};
use super::{Statement, guard, value};

/// How long a call waits for another that writes.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of all rows of an answer.
const MAX_ANSWER: usize = 16 << 20;
/// Bytes that a database may grow to.
const MAX_SIZE: i64 = 1 << 30;

/// Reads the work on stdin, and writes the reply to stdout.
///
/// # Errors
/// When one of the two fails.
pub fn sqlite_stdin() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let work: Work = serde_json::from_slice(&text)?;
    let reply = match done(&work) {
        Ok(answer) => Reply::Done(answer),
        Err(Failure::Asked(why)) => Reply::Asked(why),
        Err(Failure::Unopened(why)) => Reply::Unopened(why),
        Err(Failure::Sqlite(error)) => Reply::Failed(said(&error)),
    };
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &reply)?;
    stdout.flush()
}

fn done(work: &Work) -> Result<Value, Failure> {
    let is_still = work.reads && is_still(&work.path);
    let answer = on(&open(work, is_still)?, work);
    match is_still && beside(&work.path, "-wal").exists() {
        // Another process began to write during the query.
        true => on(&open(work, false)?, work),
        false => answer,
    }
}

fn on(connection: &Connection, work: &Work) -> Result<Value, Failure> {
    match work.reads {
        true => query(connection, &work.statements[0], work.max_rows),
        false => execute(connection, &work.statements),
    }
}

fn open(work: &Work, is_still: bool) -> Result<Connection, Failure> {
    let unopened = |why: &str| Failure::Unopened(format!("the database cannot be opened: {why}"));
    if names_another_file(&work.path).map_err(|error| unopened(&error.to_string()))? {
        return Err(unopened(
            "its journal is part of a transaction over several databases: open it once with the program that wrote it",
        ));
    }
    let access = match work.reads {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let opened = match is_still {
        true => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(unchanging(&work.path), flags)
        }
        false => Connection::open_with_flags(&work.path, flags),
    };
    let connection = opened.map_err(|error| unopened(&said(&error)))?;
    prepared(&connection)?;
    Ok(connection)
}

/// Whether a database in WAL mode was closed by its last writer. Then it has no file for readers to
/// meet in, and one who may not make it reads the database as it lies there.
fn is_still(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head[18] == 2 && !beside(path, "-wal").exists()
}

/// The URI by which SQLite opens a file without locks, as one that does not change.
fn unchanging(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = text
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{text}?immutable=1")
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(what);
    name.into()
}

/// What a journal that names another one ends with.
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Whether the journal that lies beside a database names another file, which SQLite would remove.
/// A database of Kael has no such journal: it is never attached to another.
fn names_another_file(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(beside(path, "-journal")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut end = [0; 8];
    if file.metadata()?.len() < 8 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut end)?;
    Ok(end == MAGIC)
}

/// Why a call failed.
#[derive(Debug)]
enum Failure {
    Sqlite(Error),
    Asked(String),
    Unopened(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What SQLite says of a statement that the guard refuses.
const REFUSED: &str = "not authorized";

/// SQLite's own words.
fn said(error: &Error) -> String {
    match error {
        Error::SqliteFailure(code, _) if code.code == ErrorCode::OutOfMemory => {
            format!("it needs more memory than {MEMORY}")
        }
        Error::SqliteFailure(code, _) if code.code == ErrorCode::DiskFull => {
            "the database is full".to_owned()
        }
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

fn prepared(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(BUSY)?;
    // What is sorted stays within the memory of this process, and never fills a disk.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    // The answer is the new value.
    let pages = MAX_SIZE / page.max(512);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    guard::bound(connection)?;
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
        prepared(&connection).expect("bounds");
        (folder, connection)
    }

    fn asked(sql: &str) -> Statement {
        Statement {
            sql: sql.to_owned(),
            params: Vec::new(),
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
    fn a_journal_that_names_another_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.db");
        assert!(!names_another_file(&path).expect("read"));
        for (bytes, expected) in [
            (&b""[..], false),
            (b"short", false),
            (b"a journal without a name", false),
            (b"a name\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", true),
        ] {
            std::fs::write(beside(&path, "-journal"), bytes).expect("written");
            assert_eq!(
                names_another_file(&path).expect("read"),
                expected,
                "{bytes:?}"
            );
        }
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
