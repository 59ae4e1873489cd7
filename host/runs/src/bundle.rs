//! Actions repos as runs began with them.

use kael_engine::runtime::{Repo, RepoSnapshot};
use kael_store::{StoreError, Tx, Value};

use crate::stored_args::document;
use crate::{RunsError, texts};

const THERE: &str = "SELECT 1 FROM bundles WHERE digest = ?1 AND guest = ?2";
const ADD: &str = "INSERT INTO bundles (digest, guest, origin, prepared, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
const GET: &str = "SELECT prepared, origin FROM bundles WHERE digest = ?1 AND guest = ?2";

#[cfg(test)]
pub(crate) const ALL: [&str; 3] = [THERE, ADD, GET];

/// An actions repo as a store keeps it.
#[derive(Debug)]
pub struct StoredRepo {
    pub(crate) digest: [u8; 32],
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: String,
}

impl StoredRepo {
    /// A repo as it is now.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(repo: &Repo) -> Result<Self, RunsError> {
        let bytes = serde_json::to_vec(&repo.snapshot()).map_err(document)?;
        Ok(Self {
            digest: texts::digest(&bytes),
            bytes,
            origin: repo.bundle.root.display().to_string(),
        })
    }

    /// The SHA-256 of all of it.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(crate) fn put(&self, tx: &Tx<'_>, guest: &[u8; 32]) -> Result<(), StoreError> {
        let key = [Value::from(&self.digest), Value::from(guest)];
        if tx.first(THERE, &key, |row| row.get::<i64>(0))?.is_some() {
            return Ok(());
        }
        let values = [
            Value::from(&self.digest),
            Value::from(guest),
            Value::Text(&self.origin),
            Value::Blob(&self.bytes),
            Value::Int(tx.now()),
        ];
        tx.execute(ADD, &values)?;
        Ok(())
    }
}

/// The repo of a digest, if it is there and is what it was.
pub(crate) fn get(
    tx: &Tx<'_>,
    digest: &[u8; 32],
    guest: &[u8; 32],
) -> Result<Option<RepoSnapshot>, RunsError> {
    match stored(tx, digest, guest)? {
        Some(repo) => Ok(Some(serde_json::from_slice(&repo.bytes).map_err(document)?)),
        None => Ok(None),
    }
}

/// The same as the store has it.
pub(crate) fn stored(
    tx: &Tx<'_>,
    digest: &[u8; 32],
    guest: &[u8; 32],
) -> Result<Option<StoredRepo>, RunsError> {
    let values = [Value::from(digest), Value::from(guest)];
    let found = tx.first(GET, &values, |row| {
        Ok(StoredRepo {
            digest: *digest,
            bytes: row.get(0)?,
            origin: row.get(1)?,
        })
    })?;
    Ok(found.filter(|repo| texts::digest(&repo.bytes) == *digest))
}
