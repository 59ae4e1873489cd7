//! The files of a store: the database, and beside it an empty file whose locks say who uses what.
//!
//! The whole lock file is locked as shared or exclusive, by Mode. A run is locked as one byte of it,
//! at an offset that its id gives: such a lock needs no file of its own, and ends with the process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// Who may have the file open beside this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Other processes that open it as shared, such as other runs of `kael-host run`.
    Shared,
    /// None: a server has its file for itself.
    Exclusive,
}

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(30);

/// How often a lock that another process has is tried again, and the time between two tries.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Statements that a connection keeps compiled.
const STATEMENTS: usize = 128;

/// Which file the database was when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self(meta.dev(), meta.ino()))
    }

    /// Whether the name still stands for that file: what is written to one that has no name is lost.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        Self::of(path).is_ok_and(|now| now == *self)
    }
}

/// An opened store's files.
pub(crate) struct Files {
    path: PathBuf,
    locks: PathBuf,
    /// Holds the lock on the whole.
    _whole: File,
}

/// The run is this process's until this is dropped.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl Files {
    pub(crate) fn open(path: &Path, mode: Mode) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(failed)?;
        }
        let mut locks = path.as_os_str().to_owned();
        locks.push(".lock");
        let locks = PathBuf::from(locks);
        let whole = open_private(&locks).map_err(failed)?;
        lock(&whole, mode).map_err(|errno| match errno {
            rustix::io::Errno::WOULDBLOCK => StoreError::InUse {
                path: path.to_owned(),
            },
            errno => failed(errno.into()),
        })?;
        Ok(Self {
            path: path.to_owned(),
            locks,
            _whole: whole,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it is now.
    pub(crate) fn identity(&self) -> Result<Identity, StoreError> {
        Identity::of(&self.path).map_err(|error| self.failed(error))
    }

    /// The connection that writes, to a file that is made if there is none. Only while others are kept off by `alone`.
    pub(crate) fn connect(&self) -> Result<Connection, StoreError> {
        // SQLite gives the files beside the database the mode that the database has. One that is there is
        // not opened here: closing it would give back the locks that SQLite may hold in this process.
        if !self.path.exists() {
            open_private(&self.path).map_err(|error| self.failed(error))?;
        }
        let connection = connect(&self.path)?;
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            let why = format!("SQLite uses the journal mode `{mode}` there and not `wal`");
            let path = self.path.clone();
            return Err(StoreError::Schema { path, why });
        }
        // FULL: a commit is on the disk when it returns.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }

    /// Gives the name of the database to another file. What had the name is kept under the one that is
    /// returned. A crash leaves the name with the one file or the other.
    pub(crate) fn replace(&self, by: &Path) -> Result<Option<PathBuf>, StoreError> {
        let kept = match self.path.exists() {
            false => None,
            true => Some(self.keep_beside().map_err(|error| self.failed(error))?),
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        own_as(by, if kept.is_some() { &self.path } else { folder })
            .map_err(|error| self.failed(error))?;
        std::fs::rename(by, &self.path).map_err(|error| self.failed(error))?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| self.failed(error))?;
        Ok(kept)
    }

    /// Gives the database a second name, and takes away the log beside it: a log belongs to one file alone.
    fn keep_beside(&self) -> io::Result<PathBuf> {
        let with = |path: &Path, end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let mut names = (1..).map(|number| with(&self.path, &format!(".replaced-{number}")));
        let kept = names.find(|path| !path.exists()).unwrap_or_default();
        // Moves what the log has into the file, unless the file is damaged.
        if let Ok(connection) = connect(&self.path) {
            let moved = "PRAGMA wal_checkpoint(TRUNCATE)";
            connection.query_row(moved, [], |_| Ok(())).ok();
        }
        std::fs::hard_link(&self.path, &kept)?;
        for end in ["-wal", "-shm"] {
            let from = with(&self.path, end);
            if from.exists() {
                std::fs::rename(&from, with(&kept, end))?;
            }
        }
        Ok(kept)
    }

    pub(crate) fn lock_run(&self, run: &[u8; 16]) -> Result<Option<RunLock>, StoreError> {
        // A description of its own, whose locks are independent of those of others in this process.
        let file = open_private(&self.locks).map_err(|error| self.failed(error))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&one_byte(place_of(run)))) {
            Ok(_) => Ok(Some(RunLock(file))),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(self.failed(errno.into())),
        }
    }

    /// Whether a run is locked. Looking takes no lock, so that it keeps nobody from taking the run.
    pub(crate) fn is_locked(&self, run: &[u8; 16]) -> Result<bool, StoreError> {
        let file = open_private(&self.locks).map_err(|error| self.failed(error))?;
        let mut lock = one_byte(place_of(run));
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))
            .map_err(|errno| self.failed(errno.into()))?;
        Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
    }

    /// Waits until no other process opens the file or changes the tables.
    pub(crate) fn alone(&self) -> Result<RunLock, StoreError> {
        let file = open_private(&self.locks).map_err(|error| self.failed(error))?;
        fcntl(&file, FcntlArg::F_OFD_SETLKW(&one_byte(0)))
            .map_err(|errno| self.failed(errno.into()))?;
        Ok(RunLock(file))
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::Open {
            path: self.path.clone(),
            source,
        }
    }
}

/// A connection that only reads.
pub(crate) fn connect_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    // The file is open for writing, since a reader of a WAL writes to the index beside it.
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Where a run is locked: the random half of its UUID, as an offset that a file can have. 0 is for `alone`.
fn place_of(run: &[u8; 16]) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&run[8..]);
    (i64::from_be_bytes(number) & (i64::MAX >> 1)).max(1)
}

/// A lock on one byte, for one description of the file.
fn one_byte(start: i64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: 1,
        l_pid: 0,
    }
}

/// Gives a file to the owner of another one, so that who restores a store as root does not take it from its server.
fn own_as(file: &Path, other: &Path) -> io::Result<()> {
    let (is, wanted) = (std::fs::metadata(file)?, std::fs::metadata(other)?);
    if (is.uid(), is.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    match std::os::unix::fs::chown(file, Some(wanted.uid()), Some(wanted.gid())) {
        // Who may not give files away has made this one as it is to be.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Locks the whole. What a server has started holds its descriptors until it runs its own program, or has noticed that the
/// server was killed: who comes next waits a little for that.
fn lock(whole: &File, mode: Mode) -> Result<(), rustix::io::Errno> {
    let (operation, mut tries) = match mode {
        Mode::Shared => (FlockOperation::NonBlockingLockShared, 0),
        Mode::Exclusive => (FlockOperation::NonBlockingLockExclusive, TRIES),
    };
    loop {
        match flock(whole, operation) {
            Err(rustix::io::Errno::WOULDBLOCK) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
