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
use crate::tables::{Scoped, events, queue, retention, sources};
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
    let tenants = app.tenants.all();
    let most: BTreeMap<i64, (i64, u64)> = tenants
        .iter()
        .map(|tenant| {
            let queued = i64::try_from(tenant.settings.max_queued).unwrap_or(i64::MAX);
            (tenant.id, (queued, tenant.keep.storage))
        })
        .collect();
    let queued = app.store.write(move |tx| {
        let (mut queued, mut room) = (Vec::new(), BTreeMap::new());
        for due in server::due(tx, BATCH)? {
            if due.child.is_some() && !room.contains_key(&due.tenant) {
                room.insert(due.tenant, room_of(tx, due.tenant, &most)?);
            }
            if let Some(one) = take(tx, due, &mut room)? {
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

/// How many runs of a tenant may be queued now: none where it has too much in the store.
fn room_of(tx: &Tx<'_>, tenant: i64, most: &BTreeMap<i64, (i64, u64)>) -> Result<i64, StoreError> {
    let Some((queued, storage)) = most.get(&tenant).copied() else {
        return Ok(0);
    };
    if retention::used_up(tx, Scoped(tenant), storage)?.is_some() {
        return Ok(0);
    }
    Ok(queued - runs::waiting(tx, Scoped(tenant), queued)?)
}

/// Queues one run. None if it has no room, or is over.
fn take(
    tx: &Tx<'_>,
    due: Due,
    room: &mut BTreeMap<i64, i64>,
) -> Result<Option<(i64, Id, Event)>, StoreError> {
    let (tenant, id) = (due.tenant, Id::of(*due.id.bytes()));
    let Some(child) = due.child else {
        server::awake(tx, due.id)?;
        return Ok(go_on(tx, &id, State::Waiting)?.map(|event| (tenant, id, event)));
    };
    let left = room.entry(tenant).or_insert(0);
    if *left <= 0 {
        server::put_off(tx, due.id, tx.now() + LATER)?;
        return Ok(None);
    }
    *left -= 1;
    server::awake(tx, due.id)?;
    let Some(parent) = runs::any(tx, &Id::of(*child.parent.bytes()))? else {
        // The run that it takes the place of was removed meanwhile: who waits for it hears of its end.
        server::cancel(tx, due.id, "kael")?;
        return Ok(None);
    };
    let event = begin(tx, due.id, child, parent)?;
    Ok(Some((tenant, id, event)))
}

/// Queues a run that is in that state. None if it is in another one: a run is queued once.
pub(crate) fn go_on(tx: &Tx<'_>, id: &Id, from: State) -> Result<Option<Event>, StoreError> {
    if !runs::again(tx, id, from)? {
        return Ok(None);
    }
    if from == State::Parked {
        // One that was parked before it began has waited for a person, and not for its turn.
        runs::extend(tx, id, tx.now() + queue::TO_LIVE)?;
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
    let text = server::text(tx, parent.tenant, &child.script)?.unwrap_or_default();
    sources::put(tx, Scoped(parent.tenant), &child.script, &text)?;
    let row = RunRow {
        name: child.name,
        source: child.script,
        args: serde_json::to_string(&child.args).unwrap_or_default(),
        deadline: None,
        parent: match child.continues {
            true => parent.parent,
            false => Some(parent.id),
        },
        ..parent.anew(id, "run", tx.now())
    };
    runs::insert(tx, &row)?;
    queue::add(tx, row.tenant, row.priority, row.ready, &id)?;
    events::append(tx, &id, Kind::State, &json!({ "state": "queued" }))
}
