//! What a restart does with the runs of the time before it.

use kael_engine::run_info::RunId;
use kael_runs::server;
use kael_store::{Store, StoreError, Tx};

use super::ending::{self, Outcome};
use super::wake;
use crate::id::Id;
use crate::tables::runs::{RunRow, State};
use crate::tables::{queue, runs};

/// How often servers may die with a run that does not get further: then it may be what they die of.
const MAX_RESTARTS: i64 = 3;

/// What the server found when it began.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Runs that wait for their turn, by tenant.
    pub(crate) queued: Vec<(i64, i64)>,
    /// Runs that were running, and go on.
    pub(crate) resumed: usize,
    /// Runs that were cancelled when the server ended and had not ended yet, and by whom.
    pub(crate) cancelled: Vec<(Id, String)>,
}

/// Queues the runs that were running when the server ended: they go on where their journals end. Those in the queue keep
/// their places.
pub(crate) async fn recover(store: &Store) -> Result<Recovered, StoreError> {
    let recovered = store.write(|tx| {
        let mut resumed = 0;
        for run in runs::running(tx)? {
            if goes_on(tx, &run)? {
                wake::go_on(tx, &run.id, State::Running)?;
                resumed += 1;
            } else {
                park(tx, &run)?;
            }
        }
        runs::drop_keys(tx)?;
        Ok(Recovered {
            queued: queue::counts(tx)?,
            cancelled: runs::to_cancel(tx)?,
            resumed,
        })
    });
    recovered.await
}

/// Counts the deaths of servers with a run, since it last got further. False if there were too many.
fn goes_on(tx: &Tx<'_>, run: &RunRow) -> Result<bool, StoreError> {
    let turns = server::turns(tx, RunId::from_bytes(*run.id.bytes()))?;
    let restarts = match turns > run.turns {
        true => 1,
        false => run.restarts + 1,
    };
    runs::restarted(tx, &run.id, restarts, turns)?;
    Ok(restarts <= MAX_RESTARTS)
}

fn park(tx: &Tx<'_>, run: &RunRow) -> Result<(), StoreError> {
    let message = format!(
        "the server ended {MAX_RESTARTS} times in a row while the run ran, and the run did not get further in between"
    );
    let hint = format!("kael-host resume {} lets it go on", run.id);
    let parked = Outcome::Parked {
        error: ending::problem("poison", &message, Some(&hint)),
        usage: None,
    };
    let event = parked.event();
    parked.write(tx, &run.id)?;
    crate::tables::events::append(tx, &run.id, parked.kind(), &event)?;
    Ok(())
}
