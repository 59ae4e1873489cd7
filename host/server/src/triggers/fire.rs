//! Writes the fires of a schedule and their runs in one transaction: a fire happens once, and has its run,
//! or neither is there.

use kael_store::{StoreError, Tx};
use serde_json::json;

use super::due::Due;
use super::plan::{Overlap, Plan};
use super::stored::Reference;
use crate::api::run_row::{Named, queued};
use crate::api::submit::enter;
use crate::auth::Caller;
use crate::deliveries::SCHEDULE_MISSED;
use crate::id::Id;
use crate::role::Role;
use crate::tables::fires::{self, FireRow, Outcome};
use crate::tables::runs::RunRow;
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::subscriptions::announce;
use crate::tables::{Scoped, retention, tenants};
use crate::time;

/// Fires of a schedule that wait for the run before them.
const MAX_WAITING: usize = 100;
/// Runs of a schedule that may go on beside each other.
const MAX_BESIDE: usize = 1000;
/// Fires of a schedule that are kept; the oldest go.
const MAX_KEPT: i64 = 1000;

/// What a tenant has room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Runs that its queue takes.
    pub(crate) runs: usize,
    /// Bytes that it may have in the store.
    pub(crate) storage: u64,
}

/// What a transaction came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fired {
    /// Runs that wait for their turn now.
    pub(crate) started: Vec<Id>,
    /// Runs that have to be cancelled.
    pub(crate) cancel: Vec<Id>,
    /// Fires without a run, by what became of them.
    pub(crate) others: Vec<(Outcome, usize)>,
}

/// Fires what is due of a schedule. What must be cancelled for it, [`go_on`] says: so a server that dies behind
/// this cancels it when it is back.
pub(crate) fn fire(
    tx: &Tx<'_>,
    schedule: &Id,
    looked_at: i64,
    due: &Due,
    now: i64,
    room: Room,
) -> Result<Fired, StoreError> {
    let mut fired = Fired::default();
    // Somebody may have changed the schedule since it was looked at.
    let row = schedules::any(tx, schedule)?.filter(|row| !row.paused && row.due == Some(looked_at));
    let Some((row, plan)) = row.and_then(|row| Plan::of(&row).map(|plan| (row, plan))) else {
        return Ok(fired);
    };
    if let Some((at, count)) = due.missed {
        let why = format!("{count} fires were due while the server could not begin them");
        fired.note(tx, schedule, at, Outcome::Missed, count, Some(why))?;
        announce(
            tx,
            row.tenant,
            SCHEDULE_MISSED,
            || json!({ "schedule": row.name, "first": time::text(at), "count": count }),
        )?;
    }
    let is_enabled = tenants::is_enabled(tx, row.tenant)?;
    for at in &due.fires {
        if !is_enabled {
            let why = Some("the tenant is disabled".to_owned());
            fired.note(tx, schedule, *at, Outcome::Refused, 1, why)?;
            continue;
        }
        let open = fires::open(tx, schedule)?;
        let (waiting, going) = split(&open);
        let is_next = waiting.is_empty() || plan.overlap == Overlap::Allow;
        if is_next && is_free(&going, plan.overlap) {
            fired.start(tx, &row, &plan, *at, now, room)?;
            continue;
        }
        let left_out = match plan.overlap {
            Overlap::Skip => Some("the run of the fire before it went on".to_owned()),
            Overlap::Allow => Some(format!("{MAX_BESIDE} runs of the schedule went on")),
            Overlap::Queue => {
                let why = format!("{MAX_WAITING} fires before it waited");
                (waiting.len() >= MAX_WAITING).then_some(why)
            }
            Overlap::CancelPrevious => {
                fired.pass_over(tx, schedule, &waiting)?;
                None
            }
        };
        let outcome = match left_out {
            Some(_) => Outcome::Skipped,
            None => Outcome::Waiting,
        };
        fired.note(tx, schedule, *at, outcome, 1, left_out)?;
    }
    let last = due.fires.last().copied().or(row.last_fire);
    let wake = due.next.map(|next| next + plan.delay(schedule));
    schedules::fired(tx, schedule, due.next, wake, last)?;
    fires::prune(tx, schedule, MAX_KEPT)?;
    Ok(fired)
}

/// The open fires of a schedule: those that wait, and those whose runs go on.
fn split(open: &[FireRow]) -> (Vec<&FireRow>, Vec<&FireRow>) {
    open.iter()
        .partition(|fire| fire.outcome == Outcome::Waiting)
}

/// Whether a run may begin while those of these fires go on.
fn is_free(going: &[&FireRow], overlap: Overlap) -> bool {
    match overlap {
        Overlap::Allow => going.len() < MAX_BESIDE,
        Overlap::Skip | Overlap::Queue | Overlap::CancelPrevious => going.is_empty(),
    }
}

/// Begins the first fire of a schedule that waits, if the run before it has ended, or says which runs must be
/// cancelled for it.
pub(crate) fn go_on(tx: &Tx<'_>, schedule: &Id, now: i64, room: Room) -> Result<Fired, StoreError> {
    let mut fired = Fired::default();
    let Some(row) = schedules::any(tx, schedule)?.filter(|row| !row.paused) else {
        return Ok(fired);
    };
    let Some(plan) = Plan::of(&row) else {
        return Ok(fired);
    };
    if !tenants::is_enabled(tx, row.tenant)? {
        return Ok(fired);
    }
    let open = fires::open(tx, schedule)?;
    let (waiting, going) = split(&open);
    let first = match (plan.overlap, waiting.as_slice()) {
        (_, []) => return Ok(fired),
        (Overlap::CancelPrevious, [before @ .., last]) => {
            // The schedule may have been one whose fires wait for each other.
            fired.pass_over(tx, schedule, before)?;
            *last
        }
        (_, [first, ..]) => *first,
    };
    if !is_free(&going, plan.overlap) {
        if plan.overlap == Overlap::CancelPrevious {
            let runs = going.iter().filter_map(|fire| fire.run);
            fired.cancel.extend(runs);
        }
        return Ok(fired);
    }
    if room.runs == 0 || retention::used_up(tx, Scoped(row.tenant), room.storage)?.is_some() {
        return Ok(fired);
    }
    match run_of(tx, &row, &plan, now)? {
        Ok(run) => {
            enter(tx, &run)?;
            let started = FireRow {
                outcome: Outcome::Started,
                run: Some(run.id),
                ..first.clone()
            };
            fires::change(tx, schedule, &started)?;
            fired.started.push(run.id);
        }
        Err(why) => {
            let refused = FireRow {
                outcome: Outcome::Refused,
                why: Some(why),
                ..first.clone()
            };
            fires::change(tx, schedule, &refused)?;
            fired.others.push((Outcome::Refused, 1));
        }
    }
    Ok(fired)
}

impl Fired {
    /// Writes a fire that has a run at once.
    fn start(
        &mut self,
        tx: &Tx<'_>,
        row: &ScheduleRow,
        plan: &Plan,
        at: i64,
        now: i64,
        room: Room,
    ) -> Result<(), StoreError> {
        let run = if self.started.len() >= room.runs {
            Err("the queue of the tenant is full".to_owned())
        } else if retention::used_up(tx, Scoped(row.tenant), room.storage)?.is_some() {
            Err("the storage of the tenant is full".to_owned())
        } else {
            run_of(tx, row, plan, now)?
        };
        match run {
            Err(why) => self.note(tx, &row.id, at, Outcome::Refused, 1, Some(why)),
            Ok(run) => {
                let fire = FireRow {
                    at,
                    outcome: Outcome::Started,
                    run: Some(run.id),
                    why: None,
                };
                if fires::insert(tx, &row.id, &fire)? {
                    enter(tx, &run)?;
                    self.started.push(run.id);
                }
                Ok(())
            }
        }
    }

    /// Leaves fires out that wait, because another one is behind them.
    fn pass_over(
        &mut self,
        tx: &Tx<'_>,
        schedule: &Id,
        waiting: &[&FireRow],
    ) -> Result<(), StoreError> {
        for fire in waiting {
            let skipped = FireRow {
                outcome: Outcome::Skipped,
                why: Some("the fire behind it came before it could begin".to_owned()),
                ..(*fire).clone()
            };
            fires::change(tx, schedule, &skipped)?;
            self.others.push((Outcome::Skipped, 1));
        }
        Ok(())
    }

    /// Writes a fire that has no run.
    fn note(
        &mut self,
        tx: &Tx<'_>,
        schedule: &Id,
        at: i64,
        outcome: Outcome,
        count: usize,
        why: Option<String>,
    ) -> Result<(), StoreError> {
        let fire = FireRow {
            at,
            outcome,
            run: None,
            why,
        };
        if fires::insert(tx, schedule, &fire)? {
            self.others.push((outcome, count));
        }
        Ok(())
    }
}

/// What runs of a schedule name as their origin.
pub(crate) fn origin(name: &str) -> String {
    format!("schedule {name}")
}

/// The run of a fire, or why there can be none.
fn run_of(
    tx: &Tx<'_>,
    row: &ScheduleRow,
    plan: &Plan,
    now: i64,
) -> Result<Result<RunRow, String>, StoreError> {
    let reference = Reference::parse(&plan.script);
    let version = match &reference {
        Some(reference) => reference.find(tx, Scoped(row.tenant))?,
        None => None,
    };
    let Some((version, digest)) = version.and_then(|version| Some((version.name, version.digest?)))
    else {
        return Ok(Err(format!("there is no stored script `{}`", plan.script)));
    };
    let caller = Caller {
        token: row.token,
        name: row.submitter.clone(),
        role: Role::Submitter,
        tenant: Some(row.tenant),
        csrf: None,
        expires: None,
    };
    let script = Named {
        name: version,
        digest,
    };
    let origin = origin(&row.name);
    Ok(Ok(queued(
        &caller,
        row.tenant,
        script,
        &plan.submit(),
        &origin,
        now,
    )))
}

#[cfg(test)]
mod tests;
