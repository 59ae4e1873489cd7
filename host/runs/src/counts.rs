//! Counts calls for the budgets of a policy in a store, which every run of a user or of a server shares.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use kael_engine::gate::{CallCounter, Count, Counted, Counting};
use kael_store::counts::{Counter, take};
use kael_store::{Mode, Store, StoreError};

/// Counts in a store.
pub struct StoredCounts {
    file: PathBuf,
    /// Opened when the first call is counted: most policies count none.
    store: Mutex<Option<Store>>,
}

impl StoredCounts {
    /// Counts in a file, which is made if there is none.
    #[must_use]
    pub fn in_file(file: PathBuf) -> Self {
        let store = Mutex::new(None);
        Self { file, store }
    }

    /// Counts in a store that is open.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self {
            file: store.path().to_owned(),
            store: Mutex::new(Some(store)),
        }
    }

    fn store(&self) -> Result<Store, StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match &*store {
            Some(store) => Ok(store.clone()),
            None => Ok(store.insert(Store::open(&self.file, Mode::Shared)?).clone()),
        }
    }

    async fn counted(&self, counts: Vec<Count>) -> Result<Counted, StoreError> {
        let counters = counts.into_iter().map(|count| Counter {
            key: count.key,
            period: count.period,
            most: count.calls,
        });
        let counters: Vec<Counter> = counters.collect();
        let full = self.store()?.write(move |tx| take(tx, &counters)).await?;
        Ok(match full {
            None => Counted::Taken,
            Some(full) => Counted::Full {
                at: full.at,
                until: UNIX_EPOCH + Duration::from_micros(u64::try_from(full.ends).unwrap_or(0)),
            },
        })
    }
}

impl CallCounter for StoredCounts {
    fn take(&self, counts: Vec<Count>) -> Counting<'_> {
        Box::pin(async move { self.counted(counts).await.map_err(|error| in_words(&error)) })
    }
}

/// An error and what brought it about.
fn in_words(error: &StoreError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
