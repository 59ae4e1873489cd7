//! The engine's door to the journal of one run.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use kael_engine::journal::{Appending, Batch, Chain, Entry, LogRow, Sink, SinkError};
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx, Value};

use crate::Store;
use crate::load::Head;

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
    pub(crate) is_server: bool,
    pub(crate) unwritten: Arc<Unwritten>,
}

/// Writes a new run down, in the transaction of its first entries: one fsync less.
pub(crate) type Create = Arc<dyn Fn(&Tx<'_>) -> Result<(), StoreError> + Send + Sync>;

/// What is in memory alone.
pub(crate) struct Unwritten {
    create: Mutex<Option<Create>>,
    last: Mutex<Option<Entries>>,
}

/// Entries of a journal, and what writes its run down before them.
#[derive(Clone)]
pub(crate) struct Entries {
    create: Option<Create>,
    batch: Batch,
}

impl Unwritten {
    pub(crate) fn new(create: Option<Create>) -> Self {
        Self {
            create: Mutex::new(create),
            last: Mutex::default(),
        }
    }

    pub(crate) fn take_create(&self) -> Option<Create> {
        let mut create = self.create.lock().unwrap_or_else(PoisonError::into_inner);
        create.take()
    }

    /// Whether the run is written down, or is about to be.
    pub(crate) fn is_begun(&self) -> bool {
        let create = self.create.lock().unwrap_or_else(PoisonError::into_inner);
        create.is_none()
    }

    /// The last entries of the run, if they are to be written with its end.
    pub(crate) fn take_last(&self) -> Option<Entries> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }
}

impl Entries {
    pub(crate) fn write(&self, tx: &Tx<'_>, run: &[u8; 16]) -> Result<(), StoreError> {
        if let Some(create) = &self.create {
            create(tx)?;
        }
        append(tx, run, &self.batch)
    }
}

impl Sink for StoreSink {
    fn append(&self, mut batch: Batch) -> Appending {
        let run = self.run;
        if self.is_server {
            // A server keeps it as events of the run.
            batch.output.clear();
        }
        let is_end = batch.rows.last().is_some_and(|row| row.kind == Entry::END);
        let entries = Entries {
            create: self.unwritten.take_create(),
            batch,
        };
        if self.is_server && is_end {
            // The server writes them in the transaction of its own end of the run; no reader has seen that end before.
            let mut last = self
                .unwritten
                .last
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = Some(entries);
            return Box::pin(ready(Ok(())));
        }
        let pending = self.store.write(move |tx| entries.write(tx, &run));
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

/// Adds one entry behind the last one of a journal.
pub(crate) fn add(tx: &Tx<'_>, id: RunId, head: &Head, entry: &Entry) -> Result<(), StoreError> {
    let (at, body) = (tx.now() as u64, entry.encode());
    let mut chain = Chain::after(&head.chain);
    chain.add(head.next, at, entry.kind(), &body);
    let row = LogRow {
        seq: head.next,
        at,
        kind: entry.kind(),
        body,
        commit: Some((chain.end(head.cpu_us), head.cpu_us)),
    };
    let batch = Batch {
        rows: vec![row],
        ..Batch::default()
    };
    append(tx, id.bytes(), &batch)
}
