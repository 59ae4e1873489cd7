//! Connections that only read. Each reads the file as it was after one commit, beside the writer.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::{StoreError, Tx, file};

/// Connections that may read at the same time; more readers wait.
const MAX_READERS: usize = 4;

struct Pool {
    free: Vec<Connection>,
    open: usize,
}

/// The connections for reading, opened when they are first needed.
#[derive(Clone)]
pub(crate) struct Readers {
    path: PathBuf,
    pool: Arc<(Mutex<Pool>, Condvar)>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        let pool = Pool {
            free: Vec::new(),
            open: 0,
        };
        Self {
            path,
            pool: Arc::new((Mutex::new(pool), Condvar::new())),
        }
    }

    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.take()?;
        let result = read(&connection, work);
        self.give_back(Some(connection));
        result
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let (pool, freed) = &*self.pool;
        let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = pool.free.pop() {
                return Ok(connection);
            }
            if pool.open < MAX_READERS {
                pool.open += 1;
                break;
            }
            pool = freed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        let connection = file::connect_to_read(&self.path);
        if connection.is_err() {
            self.give_back(None);
        }
        connection
    }

    fn give_back(&self, connection: Option<Connection>) {
        let (pool, freed) = &*self.pool;
        let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
        match connection {
            Some(connection) => pool.free.push(connection),
            None => pool.open -= 1,
        }
        freed.notify_one();
    }
}

fn read<T>(
    connection: &Connection,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // All of the work sees the same commit.
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = work(&Tx::new(connection));
    connection.prepare_cached("COMMIT")?.execute([])?;
    result
}
