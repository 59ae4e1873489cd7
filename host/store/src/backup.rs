//! Copies of a store, and looks at whether one is whole. All of it beside a program that uses the
//! store: what is read is the state after one commit.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::file::{Files, Mode, connect_to_read};
use crate::{StoreError, Tx, migrations};

/// Pages that are copied at once.
const PAGES: i32 = 4096;
/// How long a copy waits for a file that another program has locked.
const BUSY: Duration = Duration::from_millis(50);
/// Mistakes of a damaged file that are told.
const MAX_MISTAKES: usize = 20;

/// A copy that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// The number of the newest migration of its tables.
    pub version: i64,
}

/// What a look at a store has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrity {
    /// What is damaged, in the words of SQLite; nothing if the file is whole.
    pub mistakes: Vec<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes in it that hold nothing, and will be used again.
    pub unused: u64,
    /// The number of the newest migration of its tables; 0 where the damage hides it.
    pub version: i64,
}

/// Copies a store into a new file of mode 0600, which is there when all of it is on the disk.
///
/// # Errors
/// When the new file is there already, or one of the two cannot be used.
pub fn backup(store: &Path, to: &Path) -> Result<Copied, StoreError> {
    let there = || StoreError::There {
        path: to.to_owned(),
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(there());
    }
    let failed = |source| StoreError::Open {
        path: to.to_owned(),
        source,
    };
    let source = open(store)?;
    let part = part_beside(to).map_err(failed)?;
    let version = copy(&source, part.path())?;
    part.as_file().sync_all().map_err(failed)?;
    let bytes = part.as_file().metadata().map_err(failed)?.len();
    part.persist_noclobber(to)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => there(),
            _ => failed(error.error),
        })?;
    let folder = File::open(folder_of(to)).and_then(|folder| folder.sync_all());
    folder.map_err(failed)?;
    Ok(Copied { bytes, version })
}

/// Looks at a whole file: `thorough` compares the indexes with their tables, too.
///
/// # Errors
/// When it cannot be opened.
pub fn check(store: &Path, thorough: bool) -> Result<Integrity, StoreError> {
    let looked = look(store, thorough);
    match looked.as_ref().err().and_then(damage) {
        // So damaged that it cannot be looked at.
        Some(why) => Ok(Integrity {
            mistakes: vec![why],
            bytes: store.metadata().map_or(0, |meta| meta.len()),
            unused: 0,
            version: 0,
        }),
        None => looked,
    }
}

/// What is damaged, if it is that for which the database refuses.
fn damage(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Database(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) =>
        {
            Some(error.to_string())
        }
        _ => None,
    }
}

fn look(store: &Path, thorough: bool) -> Result<Integrity, StoreError> {
    let source = open(store)?;
    let pragma = |name: &str| -> Result<u64, StoreError> {
        let number: i64 = source.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let size = pragma("page_size")?;
    let mistakes = mistakes(&source, thorough)?;
    let version = match migrations::version_of(&source) {
        Ok(version) => version,
        // The damage is where it stands.
        Err(_) if !mistakes.is_empty() => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(Integrity {
        mistakes,
        bytes: size * pragma("page_count")?,
        unused: size * pragma("freelist_count")?,
        version,
    })
}

/// Puts a copy into the place of a store that no program uses. `settle` changes the copy before it is
/// put there. Returns the name under which the file that was there is kept.
///
/// # Errors
/// When the store is in use, the copy is damaged or of a newer Kael, or what `settle` says. Nothing is
/// changed then.
pub fn restore<T>(
    copy_of: &Path,
    store: &Path,
    settle: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<(T, Option<PathBuf>), StoreError> {
    let files = Files::open(store, Mode::Exclusive)?;
    let _alone = files.alone()?;
    let damaged = |why| StoreError::Damaged {
        path: copy_of.to_owned(),
        why,
    };
    let told = |error| damage(&error).map_or(error, damaged);
    let source = open(copy_of).map_err(told)?;
    if let Some(why) = mistakes(&source, true)?.into_iter().next() {
        return Err(damaged(why));
    }
    let part = part_beside(store).map_err(|source| StoreError::Open {
        path: store.to_owned(),
        source,
    })?;
    copy(&source, part.path())?;
    let settled = {
        let mut connection = Connection::open(part.path())?;
        migrations::apply(&mut connection, copy_of)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let settled = settle(&Tx::new(&connection))?;
        connection.execute_batch("COMMIT")?;
        // One file, which can be renamed: the next program that opens it makes the log anew.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.close().map_err(|(_, error)| error)?;
        settled
    };
    let part = part.into_temp_path();
    let kept = files.replace(&part)?;
    // The name that the part had is gone.
    part.keep().ok();
    Ok((settled, kept))
}

/// Reads a store that another program may have for itself. The tables may be older than this Kael's.
///
/// # Errors
/// Those of the work, or when the store cannot be opened.
pub fn peek<T>(
    store: &Path,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let source = open(store)?;
    source.execute_batch("BEGIN")?;
    let result = work(&Tx::new(&source));
    source.execute_batch("COMMIT")?;
    result
}

/// Makes the file of a store that no program uses as small as it can be. That takes as much room again
/// on its disk, for a while.
///
/// # Errors
/// When the store is in use, or the room is not there.
pub fn vacuum(store: &Path) -> Result<(), StoreError> {
    let files = Files::open(store, Mode::Exclusive)?;
    let _alone = files.alone()?;
    files.connect()?.execute_batch("VACUUM")?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A new file of mode 0600 in the same folder, which goes when it is dropped.
fn part_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kael-part-");
    builder.tempfile_in(folder_of(path))
}

/// A connection that reads a file which must be there.
fn open(path: &Path) -> Result<Connection, StoreError> {
    // Links of the person who names the file are followed.
    let real = fs::canonicalize(path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    let connection = connect_to_read(&real)?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    let found: Result<i64, _> = connection.query_row(tables, [], |row| row.get(0));
    match found {
        Ok(1..) => Ok(connection),
        Ok(_) => Err(no_store(path, "it has none of the tables of a store")),
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Err(no_store(path, "it is no database")),
            _ => Err(error.into()),
        },
    }
}

fn no_store(path: &Path, why: &str) -> StoreError {
    StoreError::Schema {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// Copies all of one commit; the version of its tables.
fn copy(source: &Connection, to: &Path) -> Result<i64, StoreError> {
    // In a transaction, what others write does not make the copy begin anew.
    source.execute_batch("BEGIN")?;
    let version = migrations::version_of(source)?;
    let mut target = Connection::open(to)?;
    {
        let backup = Backup::new(source, &mut target)?;
        loop {
            match backup.step(PAGES)? {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => std::thread::sleep(BUSY),
                _ => {}
            }
        }
    }
    source.execute_batch("COMMIT")?;
    // One file without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    Ok(version)
}

fn mistakes(connection: &Connection, thorough: bool) -> Result<Vec<String>, StoreError> {
    let look = match thorough {
        true => format!("PRAGMA integrity_check({MAX_MISTAKES})"),
        false => format!("PRAGMA quick_check({MAX_MISTAKES})"),
    };
    let found = connection.prepare(&look).and_then(|mut statement| {
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        lines.collect::<Result<Vec<_>, _>>()
    });
    match found {
        Ok(mut found) => {
            found.retain(|line| line != "ok");
            Ok(found)
        }
        // So damaged that even the look at it fails.
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Ok(vec![error.to_string()]),
            _ => Err(error.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::Store;

    const COUNT: &str = "SELECT count(*) FROM tenants";

    fn count(store: &Store) -> i64 {
        let count = store.read_blocking(|tx| tx.first(COUNT, &[], |row| row.get(0)));
        count.expect("a read").expect("a row")
    }

    fn add(store: &Store, name: &str) {
        let name = name.to_owned();
        let put = "INSERT INTO tenants (id, name) VALUES ((SELECT max(id) + 1 FROM tenants), ?1)";
        let added = store.write(move |tx| tx.execute(put, &[name.as_str().into()]));
        added.wait().expect("written");
    }

    #[test]
    fn a_copy_is_made_beside_a_program_that_writes_and_put_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let store = Store::open(&path("a.db"), Mode::Exclusive).expect("a store");
        add(&store, "x");
        let copied = backup(&path("a.db"), &path("copy")).expect("a copy");
        add(&store, "y");
        let mode = path("copy").metadata().expect("a file").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(copied.bytes > 4096 && copied.version >= 30, "{copied:?}");
        let again = backup(&path("a.db"), &path("copy")).expect_err("refused");
        assert!(matches!(again, StoreError::There { .. }), "{again}");
        let seen = check(&path("a.db"), true).expect("a look");
        assert_eq!(seen.mistakes, Vec::<String>::new());
        let used = restore(&path("copy"), &path("a.db"), |_| Ok(())).expect_err("in use");
        assert!(matches!(used, StoreError::InUse { .. }), "{used}");
        drop(store);
        let settle = |tx: &Tx<'_>| tx.first(COUNT, &[], |row| row.get::<i64>(0));
        let (seen, kept) = restore(&path("copy"), &path("a.db"), settle).expect("restored");
        assert_eq!((seen, kept), (Some(2), Some(path("a.db.replaced-1"))));
        let store = Store::open(&path("a.db"), Mode::Exclusive).expect("a store");
        assert_eq!(count(&store), 2);
        drop(store);
        let store = Store::open(&path("a.db.replaced-1"), Mode::Exclusive).expect("a store");
        assert_eq!(count(&store), 3);
        let left = fs::read_dir(folder.path()).expect("a folder").flatten();
        let parts = left.filter(|entry| entry.file_name().to_string_lossy().contains("part"));
        assert_eq!(parts.count(), 0);
    }

    #[test]
    fn what_is_damaged_or_no_store_is_not_put_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let store = Store::open(&path("a.db"), Mode::Exclusive).expect("a store");
        let many = store.write(|tx| {
            for n in 2..2002_i64 {
                let name = format!("tenant {n}");
                let put = "INSERT INTO tenants (id, name) VALUES (?1, ?2)";
                tx.execute(put, &[n.into(), name.as_str().into()])?;
            }
            Ok(())
        });
        many.wait().expect("written");
        backup(&path("a.db"), &path("copy")).expect("a copy");
        drop(store);
        let mut bytes = fs::read(path("copy")).expect("bytes");
        let half = bytes.len() / 2;
        bytes[half..half + 20_000].fill(0xa5);
        fs::write(path("copy"), bytes).expect("written");
        fs::write(path("text"), "no database at all, but a text").expect("written");
        let seen = check(&path("copy"), true).expect("a look");
        assert!(!seen.mistakes.is_empty());
        let refused = |name: &str| {
            let refused = restore(&path(name), &path("a.db"), |_| Ok(()));
            refused.expect_err("refused").to_string()
        };
        assert!(
            refused("copy").contains("is damaged: "),
            "{}",
            refused("copy")
        );
        assert!(
            refused("text").contains("it is no database"),
            "{}",
            refused("text")
        );
        assert!(
            refused("gone").contains("cannot be opened"),
            "{}",
            refused("gone")
        );
        let store = Store::open(&path("a.db"), Mode::Exclusive).expect("a store");
        assert_eq!(count(&store), 2001);
    }
}
