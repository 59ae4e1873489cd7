//! Cancels runs: at the word of a person, or because the run that has started them is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::run_info::RunId;
use kael_runs::{Family, server};
use kael_store::{StoreError, Tx};

use super::ending;
use crate::app::App;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::runs::{self, Ended, RunRow, State};
use crate::tables::{events, queue};

/// How often a run that is between two states is tried again, and how long after.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);
/// How often all of that is done, where nobody waits for it.
const ROUNDS: u32 = 60;

/// Cancels a run, in whatever state it is, and those that it has started. Between two tries the claim loop may enter it, or
/// what ran it may have written that it waits. False if it is in none of these states for a second.
pub(crate) async fn cancel(app: &Arc<App>, run: Id, by: &str) -> Result<bool, StoreError> {
    for _ in 0..TRIES {
        if app.runner.cancel(&run, by) {
            return Ok(true);
        }
        let (of_write, who) = (app.clone(), by.to_owned());
        let written = app.store.write(move |tx| {
            let ended = FamilyEvents::cancel(tx, &of_write, &run, &who)?;
            let is_over = runs::any(tx, &run)?.is_none_or(|row| row.state.is_over());
            Ok((ended, is_over))
        });
        let (ended, is_over) = written.await?;
        if let Some(ended) = ended {
            ended.tell(app);
        }
        if is_over {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}

/// Cancels a run beside what goes on, also where that takes longer.
pub(crate) fn keep_cancelling(app: &Arc<App>, run: Id, by: String) {
    let app = app.clone();
    tokio::spawn(async move {
        for _ in 0..ROUNDS {
            match cancel(&app, run, &by).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => return tracing::error!("run {run} is not cancelled: {error}"),
            }
        }
        tracing::error!("run {run} is not cancelled, as {by} asks for, before the server restarts");
    });
}

/// The ends of runs that nothing ran, and the runs that are to be cancelled.
#[derive(Default)]
pub(crate) struct FamilyEvents {
    ended: Vec<(RunRow, Ended, Event)>,
    running: Vec<Id>,
    by: String,
}

impl FamilyEvents {
    /// Ends the runs that a run which is over had started, and theirs. Which of them run, the tables of the server say:
    /// those of the journals may be behind or ahead while a run is taken.
    pub(crate) fn write(
        tx: &Tx<'_>,
        app: &Arc<App>,
        family: Family,
        by: &str,
    ) -> Result<Self, StoreError> {
        let mut told = Self {
            by: by.to_owned(),
            ..Self::default()
        };
        told.add(tx, app, family)?;
        Ok(told)
    }

    /// Ends a run that waits, is parked or is queued, and those that it has started. None if it runs or is over.
    fn cancel(
        tx: &Tx<'_>,
        app: &Arc<App>,
        run: &Id,
        who: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some(row) = runs::any(tx, run)? else {
            return Ok(None);
        };
        if row.state.is_over() || row.state == State::Running {
            return Ok(None);
        }
        let message = match row.started {
            None => format!("{who} cancelled the run before it began"),
            Some(_) => format!("{who} cancelled the run"),
        };
        let mut told = Self {
            by: format!("run {run}"),
            ..Self::default()
        };
        let family = server::cancel(tx, RunId::from_bytes(*run.bytes()), who)?;
        told.end(tx, app, row, &message)?;
        told.add(tx, app, family)?;
        Ok(Some(told))
    }

    fn add(&mut self, tx: &Tx<'_>, app: &Arc<App>, family: Family) -> Result<(), StoreError> {
        let mut next = VecDeque::from_iter(family.cancelled.into_iter().chain(family.running));
        while let Some(id) = next.pop_front() {
            let run = Id::of(*id.bytes());
            match runs::any(tx, &run)? {
                Some(row) if row.state == State::Running => {
                    runs::cancelled_by(tx, &run, &self.by)?;
                    self.running.push(run);
                }
                Some(row) if row.state.is_over() => {}
                Some(row) => {
                    let message = format!("{} is over, which had started this run", self.by);
                    // Where only its journal says that it runs, its own family is still there.
                    let family = server::cancel(tx, id, &self.by)?;
                    next.extend(family.cancelled.into_iter().chain(family.running));
                    self.end(tx, app, row, &message)?;
                }
                // It was never queued: nothing asks for it any more.
                None => {
                    if let Some(tenant) = server::tenant(tx, id)? {
                        server::remove(tx, tenant, id)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn end(
        &mut self,
        tx: &Tx<'_>,
        app: &Arc<App>,
        row: RunRow,
        message: &str,
    ) -> Result<(), StoreError> {
        if queue::remove(tx, row.tenant, row.priority, row.ready, &row.id)? {
            // Here, and not behind the commit: a run that is queued behind this one is counted after it.
            app.runner.fair().left_queue(row.tenant, 1);
        } else {
            queue::remove_later(tx, row.ready, &row.id)?;
        }
        let code = ending::CANCELLED;
        let ended = ending::not_begun(State::Cancelled, "cancelled", code, message, None);
        runs::end(tx, &row.id, &ended)?;
        let event = events::append(tx, &row.id, Kind::End, &ending::event(&ended))?;
        self.ended.push((row, ended, event));
        Ok(())
    }

    /// Tells who follows the runs, counts them, and cancels those that run.
    pub(crate) fn tell(self, app: &Arc<App>) {
        for (row, ended, event) in self.ended {
            app.metrics.not_run(row.tenant, &ended);
            app.runner.lives.publish(&row.id, event);
        }
        for run in self.running {
            if app.runner.cancel(&run, &self.by) {
                continue;
            }
            keep_cancelling(app, run, self.by.clone());
        }
        app.runner.wake.notify_one();
        app.runner.ended.notify_waiters();
    }
}
