//! What becomes of the runs that a run has started, when it is over: those that were not to go on without it end.

use std::sync::Arc;

use kael_engine::run_info::RunId;
use kael_runs::Family;
use kael_store::{StoreError, Tx};

use super::ending;
use crate::app::App;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::runs::State;
use crate::tables::{events, queue, runs};

/// The ends of runs that nothing ran, and the runs that are to be cancelled.
#[derive(Default)]
pub(crate) struct FamilyEvents {
    ended: Vec<(Id, Event)>,
    /// Tenants of which a run has left the queue.
    left: Vec<i64>,
    running: Vec<Id>,
    by: String,
}

impl FamilyEvents {
    /// Ends in the tables of the server what has ended in those of the journals.
    pub(crate) fn write(tx: &Tx<'_>, family: Family, by: &str) -> Result<Self, StoreError> {
        let id = |run: RunId| Id::of(*run.bytes());
        let mut told = Self {
            running: family.running.into_iter().map(id).collect(),
            by: by.to_owned(),
            ..Self::default()
        };
        for run in family.cancelled.into_iter().map(id) {
            let Some(row) = runs::any(tx, &run)? else {
                continue;
            };
            if queue::remove(tx, row.tenant, row.priority, row.ready, &run)? {
                told.left.push(row.tenant);
            }
            let event = end(
                tx,
                &run,
                &format!("{by} is over, which had started this run"),
            )?;
            told.ended.push((run, event));
        }
        Ok(told)
    }

    /// Tells who follows the runs, and cancels those that run.
    pub(crate) fn tell(self, app: &Arc<App>) {
        for tenant in self.left {
            app.runner.fair().left_queue(tenant, 1);
        }
        for (run, event) in self.ended {
            app.runner.lives.publish(&run, event);
        }
        for run in self.running {
            app.runner.cancel(&run, &self.by);
        }
    }
}

/// Ends a run that nothing runs as cancelled.
pub(crate) fn end(tx: &Tx<'_>, run: &Id, message: &str) -> Result<Event, StoreError> {
    let code = ending::CANCELLED;
    let ended = ending::not_begun(State::Cancelled, "cancelled", code, message, None);
    runs::end(tx, run, &ended)?;
    events::append(tx, run, Kind::End, &ending::event(&ended))
}
