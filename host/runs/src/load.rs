//! Reads journals and outputs back.

use kael_engine::journal::{Begin, Entry, Log, LogReader, LogRow, ZERO};
use kael_engine::run_info::RunId;
use kael_store::{Row, StoreError, Tx, Value};

use crate::RunsError;

const ROWS: &str =
    "SELECT seq, at, kind, body, chain, cpu_us FROM journal WHERE run = ?1 ORDER BY seq";
const ROWS_FROM: &str = "SELECT seq, at, kind, body, chain, cpu_us FROM journal WHERE run = ?1 AND seq >= ?2 \
                         ORDER BY seq LIMIT ?3";
const HEAD: &str =
    "SELECT seq, chain, cpu_us FROM journal WHERE run = ?1 ORDER BY seq DESC LIMIT 1";
const SIZES: &str = "SELECT seq, octet_length(body) FROM journal WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
const SHOWN: &str = "SELECT off, bytes FROM output WHERE run = ?1 ORDER BY off DESC LIMIT 1";
const OUTPUT: &str = "SELECT bytes FROM output WHERE run = ?1 ORDER BY off";

const SIZE: &str =
    "SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM journal WHERE run = ?1";
const FIRST: &str = "SELECT kind, body FROM journal WHERE run = ?1 AND seq = 0";

#[cfg(test)]
pub(crate) const ALL: [&str; 8] = [ROWS, ROWS_FROM, HEAD, SIZES, SHOWN, OUTPUT, SIZE, FIRST];

/// Looks at the rows of a journal as they are, one after the other: only one of them is in memory.
pub(crate) fn each_row(
    tx: &Tx<'_>,
    id: RunId,
    mut look: impl FnMut(LogRow) -> Result<(), RunsError>,
) -> Result<(), RunsError> {
    let mut looked = Ok(());
    tx.query(ROWS, &[Value::from(id.bytes())], |row| {
        if looked.is_ok() {
            looked = look(log_row(row)?);
        }
        Ok(())
    })?;
    looked
}

/// The end of a journal: the number of the next entry, the last chain, and the computing time so far. None without entries,
/// or when the last one carries no chain.
pub(crate) fn head(tx: &Tx<'_>, id: RunId) -> Result<Option<Head>, StoreError> {
    let last = tx.first(HEAD, &[Value::from(id.bytes())], |row| {
        let chain: Option<[u8; 32]> = row.get(1)?;
        let cpu: Option<i64> = row.get(2)?;
        Ok((row.get::<i64>(0)?, chain, cpu.unwrap_or(0)))
    })?;
    Ok(last.and_then(|(seq, chain, cpu)| {
        Some(Head {
            next: seq as u64 + 1,
            chain: chain?,
            cpu_us: cpu as u64,
        })
    }))
}

/// The end of a journal.
pub(crate) struct Head {
    pub(crate) next: u64,
    pub(crate) chain: [u8; 32],
    pub(crate) cpu_us: u64,
}

impl Head {
    /// That of a journal without entries.
    pub(crate) fn beginning() -> Self {
        Self {
            next: 0,
            chain: ZERO,
            cpu_us: 0,
        }
    }
}

/// How many entries a journal has, and how many bytes they have together.
pub(crate) fn size(tx: &Tx<'_>, id: RunId) -> Result<(u64, u64), StoreError> {
    let size = tx.first(SIZE, &[Value::from(id.bytes())], |row| {
        Ok((row.get::<i64>(0)? as u64, row.get::<i64>(1)? as u64))
    })?;
    Ok(size.unwrap_or_default())
}

/// How many rows of a journal, from a number on and at most `count`, have that many bytes together: one at least, if there is one.
pub(crate) fn fitting(
    tx: &Tx<'_>,
    id: RunId,
    from: u64,
    count: usize,
    bytes: u64,
) -> Result<usize, StoreError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let values = [
        Value::from(id.bytes()),
        Value::Int(from),
        Value::Int(count as i64),
    ];
    let sizes = tx.query(SIZES, &values, |row| row.get::<i64>(1))?;
    let mut left = bytes;
    let fit = sizes.iter().take_while(|size| {
        let (size, before) = (**size as u64, left);
        left = left.saturating_sub(size);
        size <= before
    });
    Ok(fit.count().max(usize::from(!sizes.is_empty())))
}

/// So many rows of a journal, from a number on.
pub(crate) fn rows_from(
    tx: &Tx<'_>,
    id: RunId,
    from: u64,
    count: usize,
) -> Result<Vec<LogRow>, StoreError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let values = [
        Value::from(id.bytes()),
        Value::Int(from),
        Value::Int(count as i64),
    ];
    tx.query(ROWS_FROM, &values, log_row)
}

fn log_row(row: &Row<'_, '_>) -> Result<LogRow, StoreError> {
    let chain: Option<[u8; 32]> = row.get(4)?;
    let cpu: Option<i64> = row.get(5)?;
    Ok(LogRow {
        seq: row.get::<i64>(0)? as u64,
        at: row.get::<i64>(1)? as u64,
        kind: u8::try_from(row.get::<i64>(2)?).unwrap_or(u8::MAX),
        body: row.get(3)?,
        commit: chain.map(|chain| (chain, cpu.unwrap_or(0) as u64)),
    })
}

/// A journal, checked.
pub(crate) fn log(tx: &Tx<'_>, id: RunId) -> Result<Log, RunsError> {
    let mut reader = LogReader::keeping();
    read(tx, id, &mut reader)?;
    let log = reader.log();
    log.map_err(|source| RunsError::Broken { id, source })
}

/// Gives a reader all of a journal.
pub(crate) fn read(tx: &Tx<'_>, id: RunId, reader: &mut LogReader) -> Result<(), RunsError> {
    let broken = |source| RunsError::Broken { id, source };
    each_row(tx, id, |row| reader.push(row).map_err(broken))
}

/// The first entry of a journal, not checked against its chain.
pub(crate) fn begin(tx: &Tx<'_>, id: RunId) -> Result<Begin, RunsError> {
    let first = tx.first(FIRST, &[Value::from(id.bytes())], |row| {
        Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?))
    })?;
    let entry = first.and_then(|(kind, body)| Entry::decode(u8::try_from(kind).ok()?, &body).ok());
    match entry {
        Some(Entry::Begin(begin)) => Ok(*begin),
        _ => Err(RunsError::Broken {
            id,
            source: kael_engine::journal::Broken::NoBeginning,
        }),
    }
}

/// Bytes of the output that are durable.
pub(crate) fn shown(tx: &Tx<'_>, id: RunId) -> Result<u64, StoreError> {
    let last = tx.first(SHOWN, &[Value::from(id.bytes())], |row| {
        Ok(row.get::<i64>(0)? as u64 + row.get::<Vec<u8>>(1)?.len() as u64)
    })?;
    Ok(last.unwrap_or(0))
}

/// All of the output that is durable.
pub(crate) fn output(tx: &Tx<'_>, id: RunId) -> Result<Vec<u8>, StoreError> {
    let parts = tx.query(OUTPUT, &[Value::from(id.bytes())], |row| {
        row.get::<Vec<u8>>(0)
    })?;
    Ok(parts.concat())
}
