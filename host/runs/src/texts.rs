//! Scripts, inputs and repos by their digests, in parts of 1 MiB.

use kael_store::{StoreError, Tx, Value};
use sha2::{Digest as _, Sha256};

const PART: usize = 1 << 20;

const PUT: &str = "INSERT INTO blobs (tenant, digest, part, bytes) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
const REFER: &str =
    "INSERT INTO blob_refs (run, tenant, digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const GET: &str = "SELECT bytes FROM blobs WHERE tenant = ?1 AND digest = ?2 ORDER BY part";
const FORGET: &str = "DELETE FROM blob_refs WHERE run = ?1";
const NEEDED: &str = "SELECT digest FROM blob_refs WHERE run = ?1";
const DROP: &str = "DELETE FROM blobs WHERE tenant = ?1 AND digest = ?2 AND NOT EXISTS \
                    (SELECT 1 FROM blob_refs WHERE tenant = ?1 AND digest = ?2)";

#[cfg(test)]
pub(crate) const ALL: [&str; 6] = [PUT, REFER, GET, NEEDED, FORGET, DROP];

pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn put(
    tx: &Tx<'_>,
    tenant: i64,
    run: &[u8; 16],
    bytes: &[u8],
) -> Result<[u8; 32], StoreError> {
    let digest = digest(bytes);
    let mut parts = bytes.chunks(PART).enumerate();
    // An empty text has one part, too.
    let first = parts.next().unwrap_or((0, &[]));
    for (part, bytes) in std::iter::once(first).chain(parts) {
        let values = [
            Value::Int(tenant),
            Value::from(&digest),
            Value::Int(part as i64),
            Value::Blob(bytes),
        ];
        tx.execute(PUT, &values)?;
    }
    tx.execute(
        REFER,
        &[run.into(), Value::Int(tenant), Value::from(&digest)],
    )?;
    Ok(digest)
}

/// The text of a digest, if it is there and is what it was.
pub(crate) fn get(
    tx: &Tx<'_>,
    tenant: i64,
    wanted: &[u8; 32],
) -> Result<Option<Vec<u8>>, StoreError> {
    let values = [Value::Int(tenant), Value::from(wanted)];
    let parts = tx.query(GET, &values, |row| row.get::<Vec<u8>>(0))?;
    let bytes = parts.concat();
    Ok((digest(&bytes) == *wanted).then_some(bytes))
}

/// Removes what only that run has needed.
pub(crate) fn forget(tx: &Tx<'_>, tenant: i64, run: &[u8; 16]) -> Result<(), StoreError> {
    let needed = tx.query(NEEDED, &[run.into()], |row| row.get::<[u8; 32]>(0))?;
    tx.execute(FORGET, &[run.into()])?;
    for digest in &needed {
        tx.execute(DROP, &[Value::Int(tenant), Value::from(digest)])?;
    }
    Ok(())
}
