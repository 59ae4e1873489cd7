//! Texts of scripts by their SHA-256: a script that is submitted again and again is there once.

use kael_store::{StoreError, Tx, Value};

use super::{Scoped, statements};

statements! {
    INSERT = "INSERT INTO srv_sources (tenant, digest, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    GET = "SELECT bytes FROM srv_sources WHERE tenant = ?1 AND digest = ?2";
}

pub(crate) fn put(
    tx: &Tx<'_>,
    scoped: Scoped,
    digest: &[u8; 32],
    bytes: &[u8],
) -> Result<(), StoreError> {
    let values: [Value<'_>; 3] = [scoped.0.into(), digest.into(), bytes.into()];
    tx.execute(INSERT, &values).map(|_| ())
}

pub(crate) fn get(
    tx: &Tx<'_>,
    scoped: Scoped,
    digest: &[u8; 32],
) -> Result<Option<Vec<u8>>, StoreError> {
    tx.first(GET, &[scoped.0.into(), digest.into()], |row| row.get(0))
}
