//! The engine's door to the journal of one run.

use std::sync::{Mutex, PoisonError};

use kael_engine::journal::{Appending, Batch, Sink, SinkError};
use kael_store::{Store, StoreError, Tx, Value};

const HEAD: &str = "SELECT max(seq) FROM journal WHERE run = ?1";
const APPEND: &str = "INSERT INTO journal (run, seq, at, kind, body, chain, cpu_us) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const OUTPUT: &str = "INSERT INTO output (run, off, bytes) VALUES (?1, ?2, ?3)";

const STATUS: &str = "UPDATE runs SET status = ?2 WHERE id = ?1";

#[cfg(test)]
pub(crate) const ALL: [&str; 4] = [HEAD, APPEND, OUTPUT, STATUS];

/// Bytes of output in a row.
const OUTPUT_ROW: usize = 32 << 10;

/// What an append says that does not follow.
const FENCED: &str = "the entries do not follow the last one of the run";

/// Writes the journal of one run into a store.
pub(crate) struct StoreSink {
    pub(crate) store: Store,
    pub(crate) run: [u8; 16],
    /// Writes a new run down, in the transaction of its first entries: one fsync less.
    pub(crate) create: Mutex<Option<Create>>,
}

pub(crate) type Create = Box<dyn FnOnce(&Tx<'_>) -> Result<(), StoreError> + Send>;

impl Sink for StoreSink {
    fn append(&self, batch: Batch) -> Appending {
        let run = self.run;
        let create = self
            .create
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let pending = self.store.write(move |tx| {
            if let Some(create) = create {
                create(tx)?;
            }
            append(tx, &run, &batch)
        });
        Box::pin(async move { pending.await.map_err(|error| sink_error(&error)) })
    }
}

fn sink_error(error: &StoreError) -> SinkError {
    match error {
        StoreError::Conflict(why) if why == FENCED => SinkError::Fenced,
        error if error.is_duplicate() => SinkError::Fenced,
        StoreError::Database(source) => SinkError::Failed(source.to_string()),
        error => SinkError::Failed(error.to_string()),
    }
}

/// Adds entries that follow the last one of the run.
pub(crate) fn append(tx: &Tx<'_>, run: &[u8; 16], batch: &Batch) -> Result<(), StoreError> {
    if let Some(first) = batch.rows.first() {
        let head = tx.first(HEAD, &[run.into()], |row| row.get::<Option<i64>>(0))?;
        if head.flatten().unwrap_or(-1) + 1 != first.seq as i64 {
            return Err(StoreError::Conflict(FENCED.to_owned()));
        }
    }
    for row in &batch.rows {
        let (chain, cpu) = match &row.commit {
            Some((chain, cpu_us)) => (Value::from(chain), Value::Int(*cpu_us as i64)),
            None => (Value::Null, Value::Null),
        };
        let values = [
            run.into(),
            Value::Int(row.seq as i64),
            Value::Int(row.at as i64),
            Value::Int(row.kind.into()),
            Value::from(&row.body),
            chain,
            cpu,
        ];
        tx.execute(APPEND, &values)?;
    }
    if let Some(status) = &batch.status {
        tx.execute(STATUS, &[run.into(), Value::from(status)])?;
    }
    let mut offset = batch.offset;
    for piece in batch.output.chunks(OUTPUT_ROW) {
        let values = [run.into(), Value::Int(offset as i64), Value::Blob(piece)];
        tx.execute(OUTPUT, &values)?;
        offset += piece.len() as u64;
    }
    Ok(())
}
