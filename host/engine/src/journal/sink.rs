//! Where entries become durable: a store, or memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::log::LogRow;

/// Entries that become durable together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The entries. The last carries the chain and the computing time.
    pub rows: Vec<LogRow>,
    /// What the run has printed since the last batch.
    pub output: Vec<u8>,
    /// Where that begins in the whole output.
    pub offset: u64,
    /// The new text of `status`, if the script has set one.
    pub status: Option<String>,
}

/// Why entries are not durable.
#[derive(Debug, Clone, Error)]
pub enum SinkError {
    /// Another process writes the journal of this run: this one has lost it.
    #[error("another process has taken the run over")]
    Fenced,
    /// The disk is full, or the file cannot be written.
    #[error("{0}")]
    Failed(String),
}

/// A future that is ready when a batch is durable.
pub type Appending = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send>>;

/// Makes batches of one run durable, in the order in which they are given.
pub trait Sink: Send + Sync {
    /// Queues a batch, and returns at once. It becomes durable also when the future is dropped. A batch whose first
    /// number does not follow the last durable one must be refused as [`SinkError::Fenced`].
    fn append(&self, batch: Batch) -> Appending;
}

/// Keeps nothing: for looking at a run again.
#[derive(Debug, Clone, Copy)]
pub struct Discard;

impl Sink for Discard {
    fn append(&self, _: Batch) -> Appending {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Keeps a journal for as long as the process lives.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<(Vec<LogRow>, Vec<u8>)>>);

impl MemorySink {
    /// What was appended so far.
    #[must_use]
    pub fn rows(&self) -> Vec<LogRow> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.clone()
    }
}

impl Sink for MemorySink {
    fn append(&self, batch: Batch) -> Appending {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let follows = batch
            .rows
            .first()
            .is_none_or(|row| row.seq == kept.0.len() as u64);
        if follows {
            kept.0.extend(batch.rows);
            kept.1.extend(batch.output);
        }
        Box::pin(std::future::ready(match follows {
            true => Ok(()),
            false => Err(SinkError::Fenced),
        }))
    }
}
