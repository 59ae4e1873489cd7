//! Puts runs that wait into the queue when their time, their signal, their child or a decision has come, and the runs
//! that other runs have started.

use std::collections::BTreeMap;
use std::sync::Arc;

use kael_engine::run_info::RunId;
use kael_runs::server::{self, Child, Due};
use kael_store::{StoreError, Tx};
use serde_json::json;

use crate::app::App;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::runs::{self, RunRow, State};
use crate::tables::{Scoped, events, queue, sources};
use crate::time;

/// Runs of one look.
const BATCH: i64 = 200;
/// When a run that another one has started is tried again, where the tenant's queue is full.
const LATER: i64 = time::SECOND;

/// Queues what is due.
pub(super) async fn wake(app: &Arc<App>) -> Result<(), StoreError> {
    let next = app.store.read(server::next_wake).await?;
    if next.is_none_or(|next| next > time::now()) {
        return Ok(());
    }
    let room: BTreeMap<i64, i64> = app
        .tenants
        .all()
        .iter()
        .map(|tenant| {
            let most = i64::try_from(tenant.settings.max_queued).unwrap_or(i64::MAX);
            (tenant.id, most)
        })
        .collect();
    let queued = app.store.write(move |tx| {
        let mut queued = Vec::new();
        for due in server::due(tx, BATCH)? {
            if let Some(one) = take(tx, due, &room)? {
                queued.push(one);
            }
        }
        Ok(queued)
    });
    for (tenant, run, event) in queued.await? {
        app.runner.fair().add_queued(tenant, 1);
        app.runner.lives.publish(&run, event);
    }
    Ok(())
}

/// Queues one run. None if it has no room, or is over.
fn take(
    tx: &Tx<'_>,
    due: Due,
    room: &BTreeMap<i64, i64>,
) -> Result<Option<(i64, Id, Event)>, StoreError> {
    let (tenant, id) = (due.tenant, Id::of(*due.id.bytes()));
    let Some(child) = due.child else {
        server::awake(tx, due.id)?;
        return Ok(go_on(tx, &id)?.map(|event| (tenant, id, event)));
    };
    let most = room.get(&tenant).copied().unwrap_or(0);
    if runs::waiting(tx, Scoped(tenant), most)? >= most {
        server::put_off(tx, due.id, tx.now() + LATER)?;
        return Ok(None);
    }
    server::awake(tx, due.id)?;
    let Some(parent) = runs::any(tx, &Id::of(*child.parent.bytes()))? else {
        return Ok(None);
    };
    let event = begin(tx, due.id, child, parent)?;
    Ok(Some((tenant, id, event)))
}

/// Queues a run that waits or is parked, or that ran when its server ended. None if it is queued already, or over.
pub(crate) fn go_on(tx: &Tx<'_>, id: &Id) -> Result<Option<Event>, StoreError> {
    if !runs::again(tx, id)? {
        return Ok(None);
    }
    let Some(run) = runs::any(tx, id)? else {
        return Ok(None);
    };
    queue::add(tx, run.tenant, run.priority, run.ready, id)?;
    let event = events::append(tx, id, Kind::State, &json!({ "state": "queued" }))?;
    Ok(Some(event))
}

/// Writes down a run that another one has started. It is submitted by who has submitted that.
fn begin(tx: &Tx<'_>, id: RunId, child: Child, parent: RunRow) -> Result<Event, StoreError> {
    let id = Id::of(*id.bytes());
    let source = kael_runs::server::digest(&child.script);
    sources::put(tx, Scoped(parent.tenant), &source, &child.script)?;
    let row = RunRow {
        id,
        state: State::Queued,
        reason: None,
        name: child.name,
        source,
        args: serde_json::to_string(&child.args).unwrap_or_default(),
        origin: "run".to_owned(),
        created: tx.now(),
        ready: tx.now(),
        deadline: None,
        started: None,
        ended: None,
        exit_code: None,
        error: None,
        usage: None,
        parent: Some(parent.id),
        restarts: 0,
        turns: 0,
        status: None,
        ..parent
    };
    runs::insert(tx, &row)?;
    queue::add(tx, row.tenant, row.priority, row.ready, &id)?;
    events::append(tx, &id, Kind::State, &json!({ "state": "queued" }))
}
