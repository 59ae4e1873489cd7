//! The loop that fires schedules: it sleeps until the next time, or until somebody changes a schedule.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kael_store::StoreError;

use super::clock::Clock;
use super::due::{Due, due};
use super::fire::{self, Fired, Room};
use super::plan::Plan;
use crate::api::cancel::cancel_run;
use crate::app::App;
use crate::id::Id;
use crate::tables::Scoped;
use crate::tables::fires::{self, Outcome};
use crate::tables::runs::{self, State};
use crate::tables::schedules::{self, ScheduleRow};
use crate::time;

/// Schedules that are fired in one go.
const BATCH: i64 = 100;
/// The longest sleep: so often the clock is looked at.
const SLEEP: Duration = Duration::from_secs(5);
/// How long the loop waits after the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// Fires schedules until the server drains.
pub(crate) async fn run(app: Arc<App>) {
    let mut clock = Clock::new();
    let mut told = BTreeSet::new();
    while !app.runner.is_draining() {
        let (now, step) = clock.read();
        if let Some(step) = step {
            let seconds = step / time::SECOND;
            tracing::warn!(
                "the clock of the machine stepped by {seconds} s: schedules go on by the new time, and repeat no fire"
            );
            app.metrics.clock_stepped();
        }
        // Registered before anything is looked at, so that no end of a run is missed.
        let ended = app.runner.ended.notified();
        let mut ended = std::pin::pin!(ended);
        ended.as_mut().enable();
        match round(&app, now, &mut told).await {
            Ok(Round { more: true, .. }) => {}
            Ok(Round { next, waits, .. }) => {
                let until = next.map_or(i64::MAX, |next| (next - time::now()).max(0));
                let until = Duration::from_micros(u64::try_from(until).unwrap_or(0)).min(SLEEP);
                tokio::select! {
                    () = app.schedules.notified() => {}
                    () = ended, if waits => {}
                    () = tokio::time::sleep(until) => {}
                }
            }
            Err(error) => {
                tracing::error!("schedules are not fired: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// What a look at all schedules came to.
struct Round {
    /// Whether there is more to do at once.
    more: bool,
    /// When the next schedule fires.
    next: Option<i64>,
    /// Whether a fire waits for the end of a run.
    waits: bool,
}

/// Looks at all schedules. `told` has the runs that were told to end in the round before.
async fn round(app: &Arc<App>, now: i64, told: &mut BTreeSet<Id>) -> Result<Round, StoreError> {
    let found = app.store.read(move |tx| {
        let due = schedules::due(tx, now, BATCH)?;
        Ok((due, fires::waiting(tx)?, schedules::next_wake(tx)?))
    });
    let (due, waiting, next) = found.await?;
    let (mut started, mut ending) = (false, BTreeSet::new());
    for schedule in &waiting {
        let Some((row, fired)) = go_on(app, schedule, now).await? else {
            continue;
        };
        started |= !fired.started.is_empty();
        for run in fired.cancel {
            if cancel(app, &row, &run, told.contains(&run)).await {
                ending.insert(run);
            }
        }
    }
    *told = ending;
    for row in &due {
        fire_due(app, row, now).await?;
    }
    Ok(Round {
        more: !due.is_empty() || started,
        next,
        waits: !waiting.is_empty(),
    })
}

/// Fires what is due of a schedule.
async fn fire_due(app: &Arc<App>, row: &ScheduleRow, now: i64) -> Result<(), StoreError> {
    let id = row.id;
    let calendar = Plan::of(row).and_then(|plan| {
        let calendar = plan.calendar().ok()?;
        Some((calendar, plan.delay(&id), plan.catch_up))
    });
    let (Some((calendar, delay, catch_up)), Some(looked_at)) = (calendar, row.due) else {
        tracing::error!(
            "the schedule `{}` cannot be read, and is not fired",
            row.name
        );
        let silent = app
            .store
            .write(move |tx| schedules::fired(tx, &id, None, None, None));
        return silent.await;
    };
    let due: Due = due(&calendar, looked_at, now - delay, catch_up);
    let room = room(app, row.tenant, due.fires.len());
    let written = app
        .store
        .write(move |tx| fire::fire(tx, &id, looked_at, &due, now, room));
    settle(app, row, &written.await?);
    Ok(())
}

/// Begins a fire that waited, or says what it waits for. None if its schedule is gone.
async fn go_on(
    app: &Arc<App>,
    schedule: &Id,
    now: i64,
) -> Result<Option<(ScheduleRow, Fired)>, StoreError> {
    let id = *schedule;
    let Some(row) = app.store.read(move |tx| schedules::any(tx, &id)).await? else {
        return Ok(None);
    };
    let room = room(app, row.tenant, 1);
    let written = app.store.write(move |tx| fire::go_on(tx, &id, now, room));
    let fired = written.await?;
    settle(app, &row, &fired);
    Ok(Some((row, fired)))
}

/// What a tenant has room for: of the wanted runs, as many as its queue takes.
fn room(app: &App, tenant: i64, wanted: usize) -> Room {
    let Some(of) = app.tenants.get(tenant) else {
        return Room {
            runs: 0,
            storage: 0,
        };
    };
    let queued = app.runner.fair().load(tenant).queued;
    let left = of.settings.max_queued.saturating_sub(queued);
    Room {
        runs: usize::try_from(left).unwrap_or(usize::MAX).min(wanted),
        storage: of.keep.storage,
    }
}

/// Tells the claim loop of the runs, and counts what happened.
fn settle(app: &App, row: &ScheduleRow, fired: &Fired) {
    let started = fired.started.len();
    if started > 0 {
        // Behind the commit: a run that is claimed before it is counted is counted as gone later.
        let count = u64::try_from(started).unwrap_or(0);
        app.runner.fair().add_queued(row.tenant, count);
        app.runner.wake.notify_one();
    }
    for _ in &fired.started {
        app.metrics.submitted(row.tenant);
    }
    app.metrics.fired("started", started);
    for (outcome, count) in &fired.others {
        let name = outcome.name();
        app.metrics.fired(name, *count);
        if *outcome != Outcome::Waiting {
            tracing::warn!("the schedule `{}`: {count} fires are {name}", row.name);
        }
    }
}

/// Cancels the run of a fire, because the next one waits. `was_told` says that it was told before: one that runs takes
/// its time to end. True if it is ending.
async fn cancel(app: &Arc<App>, row: &ScheduleRow, run: &Id, was_told: bool) -> bool {
    let (tenant, id) = (row.tenant, *run);
    let Some(tenant) = app.tenants.get(tenant) else {
        return false;
    };
    let scope = super::scope(tenant, row.token, fire::origin(&row.name));
    let scoped = Scoped(row.tenant);
    let found = app.store.read(move |tx| runs::get(tx, scoped, &id)).await;
    let cancelled = match found {
        Ok(Some(found)) if was_told && found.state == State::Running => Ok(()),
        // Only a person knows whether that one goes on.
        Ok(Some(found)) if found.state == State::Parked => return false,
        Ok(Some(found)) if !found.state.is_over() => {
            let reason = Some("the next fire of its schedule came".to_owned());
            cancel_run(app, &scope, found, reason).await.map(|_| ())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    };
    if let Err(problem) = &cancelled {
        tracing::error!(
            "run {id} goes on, and the next of `{}` waits for it: {}",
            row.name,
            problem.detail
        );
    }
    cancelled.is_ok()
}
