//! Why the store did not do what it was asked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the store did not do what it was asked. Nothing of a piece of work that failed is kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file or its folder cannot be made, locked or read.
    #[error("the store `{}` cannot be opened", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has the file for itself, or has it open while this one wants it for itself.
    #[error("the store `{}` is in use by another process", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was moved, removed or replaced while it was open.
    #[error("the store `{}` was replaced while it was open", .path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A newer Kael made the file, or the file is no store of Kael's.
    #[error("the store `{}` does not fit this version of Kael: {why}", .path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What differs.
        why: String,
    },
    /// A file that is to be written is there already.
    #[error("`{}` is there already", .path.display())]
    There {
        /// The file.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error("the store `{}` is damaged: {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong.
        why: String,
    },
    /// The disk has no room.
    #[error("the disk of the store is full")]
    Full,
    /// The database refused a statement: a row is there already, a table is damaged.
    #[error("the store failed")]
    Database(#[source] rusqlite::Error),
    /// A row that must be there is not, or is there twice; in the caller's words.
    #[error("{0}")]
    Conflict(String),
    /// The store was closed, or the work panicked.
    #[error("the store was closed")]
    Closed,
}

impl StoreError {
    /// Whether a row with the same key is there already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let Self::Database(rusqlite::Error::SqliteFailure(error, _)) = self else {
            return false;
        };
        error.code == rusqlite::ErrorCode::ConstraintViolation
    }

    /// The same error for one more caller of a commit that failed for all of them.
    pub(crate) fn shared(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Replaced { path } => Self::Replaced { path: path.clone() },
            Self::Database(error) => Self::Database(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(
                    error
                        .sqlite_error()
                        .map_or(rusqlite::ffi::SQLITE_ERROR, |error| error.extended_code),
                ),
                Some(error.to_string()),
            )),
            _ => Self::Closed,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Database(error),
        }
    }
}
