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
use crate::tables::Scoped;
use crate::tables::fires::{self, FireRow, Outcome};
use crate::tables::runs::RunRow;
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::subscriptions::announce;
use crate::time;

/// Fires of a schedule that wait for the run before them.
const MAX_WAITING: usize = 100;
/// Fires of a schedule that are kept; the oldest go.
const MAX_KEPT: i64 = 1000;

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

/// Fires what is due of a schedule. `room` is how many runs the tenant's queue may take; `disabled` says that the tenant may do
/// nothing.
pub(crate) fn fire(
    tx: &Tx<'_>,
    schedule: &Id,
    looked_at: i64,
    due: &Due,
    now: i64,
    room: usize,
    disabled: bool,
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
    for at in &due.fires {
        if disabled {
            let why = Some("the tenant is disabled".to_owned());
            fired.note(tx, schedule, *at, Outcome::Refused, 1, why)?;
            continue;
        }
        let open = fires::open(tx, schedule)?;
        let is_free = open.is_empty() || plan.overlap == Overlap::Allow;
        if is_free {
            fired.start(tx, &row, &plan, *at, now, room)?;
            continue;
        }
        let waiting: Vec<&FireRow> = open
            .iter()
            .filter(|fire| fire.outcome == Outcome::Waiting)
            .collect();
        let skipped = match plan.overlap {
            Overlap::Queue => waiting.len() >= MAX_WAITING,
            Overlap::CancelPrevious => {
                for fire in &waiting {
                    let why = Some("the fire behind it came before it could begin".to_owned());
                    let skipped = FireRow {
                        outcome: Outcome::Skipped,
                        why,
                        ..(*fire).clone()
                    };
                    fires::change(tx, schedule, &skipped)?;
                    fired.others.push((Outcome::Skipped, 1));
                }
                let runs = open.iter().filter(|fire| fire.outcome == Outcome::Started);
                fired.cancel.extend(runs.filter_map(|fire| fire.run));
                false
            }
            Overlap::Skip | Overlap::Allow => true,
        };
        match skipped {
            true => {
                let why = Some("the run of the fire before it went on".to_owned());
                fired.note(tx, schedule, *at, Outcome::Skipped, 1, why)?;
            }
            false => fired.note(tx, schedule, *at, Outcome::Waiting, 1, None)?,
        }
    }
    let last = due.fires.last().copied().or(row.last_fire);
    let wake = due.next.map(|next| next + plan.delay(schedule));
    schedules::fired(tx, schedule, due.next, wake, last)?;
    fires::prune(tx, schedule, MAX_KEPT)?;
    fired.cancel.sort();
    fired.cancel.dedup();
    Ok(fired)
}

/// Begins the first fire of a schedule that waits, if the run before it has ended.
pub(crate) fn go_on(
    tx: &Tx<'_>,
    schedule: &Id,
    now: i64,
    room: usize,
) -> Result<Fired, StoreError> {
    let mut fired = Fired::default();
    let Some(row) = schedules::any(tx, schedule)?.filter(|row| !row.paused) else {
        return Ok(fired);
    };
    let open = fires::open(tx, schedule)?;
    let is_free = open.iter().all(|fire| fire.outcome == Outcome::Waiting);
    let (Some(first), true, Some(plan)) = (open.first(), is_free && room > 0, Plan::of(&row))
    else {
        return Ok(fired);
    };
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
        room: usize,
    ) -> Result<(), StoreError> {
        let run = match self.started.len() < room {
            true => run_of(tx, row, plan, now)?,
            false => Err("the queue of the tenant is full".to_owned()),
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
