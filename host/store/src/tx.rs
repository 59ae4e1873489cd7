//! One transaction, as the work in it sees it.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params_from_iter};

use crate::{Column, StoreError, Value};

/// One transaction. What a piece of work has written is kept when the work succeeds and the commit
/// does.
pub struct Tx<'a> {
    connection: &'a Connection,
    now: i64,
}

/// One row of an answer.
pub struct Row<'a, 'b>(&'a rusqlite::Row<'b>);

impl<'a> Tx<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_micros());
        Self {
            connection,
            now: i64::try_from(now).unwrap_or(i64::MAX),
        }
    }

    /// Microseconds since 1970 by the clock of the database, the same all through the transaction.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Runs a statement, and says how many rows it has changed. The statement is compiled once for a
    /// connection.
    ///
    /// # Errors
    /// What the database says.
    pub fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(values))?)
    }

    /// Like [`execute`](Self::execute) for a statement that must change one row.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `otherwise`, unless it is one row.
    pub fn change_one(
        &self,
        sql: &str,
        values: &[Value<'_>],
        otherwise: &str,
    ) -> Result<(), StoreError> {
        match self.execute(sql, values)? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict(otherwise.to_owned())),
        }
    }

    /// All rows of an answer, each made into a value at once.
    ///
    /// # Errors
    /// What the database says, or what `map` does.
    pub fn query<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut map: impl FnMut(&Row<'_, '_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(map(&Row(row))?);
        }
        Ok(all)
    }

    /// The first row of an answer.
    ///
    /// # Errors
    /// As for [`query`](Self::query).
    pub fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut map: impl FnMut(&Row<'_, '_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        match rows.next()? {
            Some(row) => Ok(Some(map(&Row(row))?)),
            None => Ok(None),
        }
    }
}

impl Row<'_, '_> {
    /// The value of a column, counted from 0.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        Ok(self.0.get(column)?)
    }
}
