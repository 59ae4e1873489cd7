//! The claim loop: one claimer for all tenants decides which runs begin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::run_info::RunId;
use kael_runs::server;
use kael_store::{StoreError, Tx};
use serde_json::json;

use super::claimed::Claimed;
use super::execute;
use super::{Running, ending, wake};
use crate::app::App;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::runs::{Ended, State};
use crate::tables::{Scoped, events, queue, runs, sources};

/// Runs of one claim.
const BATCH: u32 = 64;
/// How long the loop sleeps when nothing wakes it.
const SLEEP: Duration = Duration::from_secs(1);
/// How often the loop, when it has nothing to do, counts what is in the queue.
const COUNT: Duration = Duration::from_secs(30);

/// What one claim came to, for a tenant.
#[derive(Default)]
struct Part {
    tenant: i64,
    claimed: Vec<Claimed>,
    /// Runs whose time to begin was over: they have ended.
    expired: Vec<(Id, Ended, Event)>,
    /// Runs that were planned and are not there.
    gone: u32,
}

/// Claims runs until the server drains.
pub(crate) async fn claim_runs(app: Arc<App>) {
    let mut counted = Instant::now();
    while !app.runner.is_draining() {
        app.runner.mark_moved();
        if let Err(error) = due(&app).await {
            tracing::error!("runs whose time has come are not queued: {error}");
        }
        if let Err(error) = wake::wake(&app).await {
            tracing::error!("runs that wait are not queued: {error}");
        }
        while !app.runner.is_draining() && claim(&app).await {
            app.runner.mark_moved();
        }
        tokio::select! {
            () = app.runner.wake.notified() => {}
            () = tokio::time::sleep(SLEEP) => {}
        }
        if counted.elapsed() > COUNT {
            counted = Instant::now();
            count(&app).await;
        }
    }
}

/// Counts the queues, so that no run stays in one because it was miscounted.
async fn count(app: &Arc<App>) {
    match app.store.read(queue::counts).await {
        Ok(counts) => {
            let mut fair = app.runner.fair();
            for (tenant, count) in counts {
                fair.at_least(tenant, u64::try_from(count).unwrap_or(0));
            }
        }
        Err(error) => tracing::error!("the queues are not counted: {error}"),
    }
}

/// Puts the runs whose time has come into the queue.
async fn due(app: &Arc<App>) -> Result<(), StoreError> {
    let now = crate::time::now();
    let next = app.store.read(queue::next_due).await?;
    if next.is_none_or(|next| next > now) {
        return Ok(());
    }
    let queued = app.store.write(|tx| {
        let mut queued = Vec::new();
        for id in queue::take_due(tx, 500)? {
            if let Some(run) = runs::any(tx, &id)? {
                queue::add(tx, run.tenant, run.priority, run.ready, &id)?;
                queued.push(run.tenant);
            }
        }
        Ok(queued)
    });
    for tenant in queued.await? {
        app.runner.fair().add_queued(tenant, 1);
    }
    Ok(())
}

/// Claims once. True if there may be more to claim at once.
async fn claim(app: &Arc<App>) -> bool {
    let plan = app.runner.fair().plan(BATCH);
    if plan.is_empty() {
        return false;
    }
    let wanted = plan.clone();
    let parts = app.store.write(move |tx| {
        let parts = wanted
            .iter()
            .map(|(tenant, count)| take(tx, *tenant, *count));
        parts.collect::<Result<Vec<Part>, StoreError>>()
    });
    let parts = match parts.await {
        Ok(parts) => parts,
        Err(error) => {
            tracing::error!("no run is claimed: {error}");
            let mut fair = app.runner.fair();
            for (tenant, count) in plan {
                fair.back(tenant, count);
            }
            return false;
        }
    };
    for part in parts {
        let charged = {
            let mut fair = app.runner.fair();
            if part.gone > 0 {
                fair.gone(part.tenant, part.gone);
            }
            fair.charge(part.tenant)
        };
        for (id, ended, event) in part.expired {
            app.metrics.not_run(part.tenant, &ended);
            app.runner.lives.publish(&id, event);
            app.runner.ended.notify_waiters();
        }
        for claimed in part.claimed {
            let running = Running::default();
            app.runner.running().insert(claimed.run.id, running);
            let claimed = Claimed { charged, ..claimed };
            app.spawn_run(execute::execute(app.clone(), claimed));
        }
    }
    true
}

/// Takes runs of a tenant out of the queue, and notes that they run.
fn take(tx: &Tx<'_>, tenant: i64, count: u32) -> Result<Part, StoreError> {
    let mut part = Part {
        tenant,
        ..Part::default()
    };
    let ids = queue::take(tx, tenant, i64::from(count))?;
    part.gone = count.saturating_sub(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    for id in ids {
        let Some(run) = runs::any(tx, &id)?.filter(|run| run.state == State::Queued) else {
            part.gone += 1;
            continue;
        };
        let is_late = run.deadline.is_some_and(|deadline| deadline < tx.now());
        if is_late && run.started.is_none() {
            let message = "the run waited for its turn until its time to begin was over";
            let hint = Some("raise `deadline`, or the tenant's share");
            let ended = ending::not_begun(State::Failed, "expired", 5, message, hint);
            runs::end(tx, &id, &ended)?;
            let event = events::append(tx, &id, Kind::End, &ending::event(&ended))?;
            part.expired.push((id, ended, event));
            part.gone += 1;
            continue;
        }
        runs::begin(tx, &id)?;
        let event = events::append(tx, &id, Kind::State, &json!({ "state": "running" }))?;
        let kept = match server::is_kept(tx, RunId::from_bytes(*id.bytes()))? {
            true => Some(events::count(tx, &id, Kind::Report)?),
            false => None,
        };
        let source = match kept {
            Some(_) => None,
            None => sources::get(tx, Scoped(tenant), &run.source)?,
        };
        part.claimed.push(Claimed {
            run,
            source,
            event,
            kept: kept.and_then(|count| usize::try_from(count).ok()),
            charged: 0.0,
        });
    }
    Ok(part)
}
