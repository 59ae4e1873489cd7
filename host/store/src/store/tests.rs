//! What callers of a store see: durable writes in one group, readers beside it, locks, refusals.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::Value;

const PUT: &str = "INSERT INTO tenants (id, name) VALUES (?1, ?2)";
const NEXT: &str = "SELECT max(id) + 1 FROM tenants";
const COUNT: &str = "SELECT count(*) FROM tenants WHERE id > 1";

fn put(store: &Store, id: &str) -> Pending<()> {
    let id = id.to_owned();
    store.write(move |tx| {
        let next = tx.first(NEXT, &[], |row| row.get(0))?.unwrap_or(0);
        let values = [Value::Int(next), Value::from(&id)];
        tx.change_one(PUT, &values, "not one row")
    })
}

fn count(store: &Store) -> i64 {
    let counted = store.read_blocking(|tx| tx.first(COUNT, &[], |row| row.get(0)));
    counted.expect("a count").expect("a row")
}

fn opened(folder: &Path) -> Store {
    Store::open(&folder.join("data/kael.db"), Mode::Shared).expect("a store")
}

#[test]
fn what_was_written_is_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path());
    let all: Vec<_> = (0..100).map(|n| put(&store, &n.to_string())).collect();
    for one in all {
        one.wait().expect("written");
    }
    assert_eq!(count(&store), 100);
    drop(store);
    let store = opened(folder.path());
    assert_eq!(count(&store), 100);
    for file in ["kael.db", "kael.db.lock", "kael.db-wal", "kael.db-shm"] {
        let path = folder.path().join("data").join(file);
        let mode = path.metadata().expect(file).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mode = folder.path().join("data").metadata().expect("a folder");
    assert_eq!(mode.permissions().mode() & 0o777, 0o700);
}

#[test]
fn work_that_fails_or_panics_leaves_nothing_and_the_work_beside_it_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path());
    put(&store, "a").wait().expect("written");
    // One group: all of it is queued while the first is being written.
    let (good, twice) = (put(&store, "b"), put(&store, "a"));
    let half: Pending<()> = store.write(|tx| {
        tx.execute("DELETE FROM tenants WHERE id > 1", &[])?;
        Err(StoreError::Conflict("changed my mind".to_owned()))
    });
    let panics: Pending<()> = store.write(|tx| {
        tx.execute("DELETE FROM tenants WHERE id > 1", &[])?;
        panic!("a bug")
    });
    good.wait().expect("written");
    assert!(twice.wait().expect_err("there already").is_duplicate());
    let error = half.wait().expect_err("a conflict");
    assert_eq!(error.to_string(), "changed my mind");
    assert!(matches!(panics.wait(), Err(StoreError::Closed)));
    put(&store, "c").wait().expect("written");
    assert_eq!(count(&store), 3);
}

#[test]
fn a_reader_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path());
    let written = store.read_blocking(|tx| tx.execute("DELETE FROM tenants WHERE id > 1", &[]));
    assert!(written.is_err());
    put(&store, "a").wait().expect("written");
    assert_eq!(count(&store), 1);
}

#[test]
fn processes_share_a_file_unless_one_wants_it_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kael.db");
    let first = Store::open(&file, Mode::Shared).expect("a store");
    let second = Store::open(&file, Mode::Shared).expect("a second one");
    put(&first, "a").wait().expect("written");
    put(&second, "b").wait().expect("written");
    assert_eq!((count(&first), count(&second)), (2, 2));
    let refused = Store::open(&file, Mode::Exclusive).err().expect("in use");
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    drop((first, second));
    let alone = Store::open(&file, Mode::Exclusive).expect("alone");
    let refused = Store::open(&file, Mode::Shared).err().expect("in use");
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    drop(alone);
}

#[test]
fn a_run_is_locked_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, run, other) = (opened(folder.path()), [7; 16], [8; 16]);
    assert!(!store.is_run_locked(&run).expect("asked"));
    let lock = store.lock_run(&run).expect("asked").expect("free");
    assert!(store.is_run_locked(&run).expect("asked"));
    assert!(!store.is_run_locked(&other).expect("asked"));
    assert!(store.lock_run(&run).expect("asked").is_none());
    assert!(
        opened(folder.path())
            .lock_run(&run)
            .expect("asked")
            .is_none()
    );
    assert!(store.lock_run(&other).expect("asked").is_some());
    drop(lock);
    assert!(store.lock_run(&run).expect("asked").is_some());
}

#[test]
fn a_file_that_was_replaced_is_written_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path());
    put(&store, "a").wait().expect("written");
    let file = store.path().to_owned();
    std::fs::rename(&file, file.with_extension("old")).expect("renamed");
    std::fs::write(&file, "").expect("another");
    let error = put(&store, "b").wait().expect_err("nowhere to go");
    assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
}

#[test]
fn a_file_of_a_newer_kael_and_one_that_is_no_database_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kael.db");
    drop(Store::open(&file, Mode::Shared).expect("a store"));
    let connection = rusqlite::Connection::open(&file).expect("opened");
    connection
        .pragma_update(None, "user_version", 1_000_000)
        .expect("set");
    drop(connection);
    let error = Store::open(&file, Mode::Shared).err().expect("a refusal");
    assert!(
        error.to_string().contains("does not fit this version"),
        "{error}"
    );
    let text = folder.path().join("notes.txt");
    std::fs::write(
        &text,
        "no database, and more than its header would take. ".repeat(100),
    )
    .expect("written");
    assert!(Store::open(&text, Mode::Shared).is_err());
}

#[test]
fn many_may_open_a_new_file_at_the_same_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kael.db");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let store = Store::open(file, Mode::Shared).expect("a store");
                put(&store, &n.to_string()).wait().expect("written");
            });
        }
    });
    let store = Store::open(&file, Mode::Shared).expect("a store");
    assert_eq!(count(&store), 8);
}
