//! What a restart does with the runs of the time before it.

use kael_store::{Store, StoreError};

use super::ending;
use crate::event::Kind;
use crate::tables::{events, queue, runs};

/// What the server found when it began.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Runs that wait for their turn, by tenant.
    pub(crate) queued: Vec<(i64, i64)>,
    /// Runs that were running, and have ended as interrupted.
    pub(crate) interrupted: usize,
}

/// Ends the runs that were running when the server ended: what they had begun may have happened, so
/// they are never begun again without a person. Those in the queue keep their places.
pub(crate) async fn recover(store: &Store) -> Result<Recovered, StoreError> {
    let recovered = store.write(|tx| {
        let running = runs::running(tx)?;
        for run in &running {
            let ended = ending::interrupted(None, &[]);
            runs::end(tx, &run.id, &ended)?;
            events::append(tx, &run.id, Kind::End, &ending::event(&ended))?;
        }
        runs::drop_keys(tx)?;
        Ok(Recovered {
            queued: queue::counts(tx)?,
            interrupted: running.len(),
        })
    });
    recovered.await
}
