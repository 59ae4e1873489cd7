//! Schedules of a store that was restored from a backup: they go on with the next time from now.
//!
//! Between the backup and now the server went on, and has probably fired what the backup has still to fire.

use kael_store::{StoreError, Tx};
use serde_json::json;

use super::due::passed_over;
use super::plan::Plan;
use crate::deliveries::SCHEDULE_MISSED;
use crate::tables::fires::{self, FireRow, Outcome};
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::subscriptions::announce;
use crate::time;

/// Notes all fires that were due or waited as missed. How many there were.
pub(crate) fn pass_over(tx: &Tx<'_>, now: i64) -> Result<usize, StoreError> {
    let mut count = 0;
    for row in schedules::every(tx)? {
        count += pass_over_one(tx, &row, now)?;
    }
    Ok(count)
}

fn pass_over_one(tx: &Tx<'_>, row: &ScheduleRow, now: i64) -> Result<usize, StoreError> {
    let mut missed = Vec::new();
    for fire in fires::open(tx, &row.id)? {
        if fire.outcome == Outcome::Waiting {
            missed.push((fire.at, 1));
            let why = "it waited in the backup from which the server was restored, and may have run since";
            let over = FireRow {
                outcome: Outcome::Missed,
                why: Some(why.to_owned()),
                ..fire
            };
            fires::change(tx, &row.id, &over)?;
        }
    }
    // One that is paused looks for its next time when it is resumed.
    let plan = Plan::of(row).filter(|_| !row.paused);
    let times = plan.and_then(|plan| Some((plan.calendar().ok()?, plan.delay(&row.id))));
    if let (Some((calendar, delay)), Some(at)) = (times, row.due) {
        let over = passed_over(&calendar, at, now - delay);
        if let Some((at, count)) = over.missed {
            missed.push((at, count));
            let why = format!(
                "{count} fires were due since the backup from which the server was restored, and may have run"
            );
            let note = FireRow {
                at,
                outcome: Outcome::Missed,
                run: None,
                why: Some(why),
            };
            fires::insert(tx, &row.id, &note)?;
            let wake = over.next.map(|next| next + delay);
            schedules::fired(tx, &row.id, over.next, wake, row.last_fire)?;
        }
    }
    let Some(first) = missed.iter().map(|(at, _)| *at).min() else {
        return Ok(0);
    };
    let count = missed.iter().map(|(_, count)| count).sum();
    announce(
        tx,
        row.tenant,
        SCHEDULE_MISSED,
        || json!({ "schedule": row.name, "first": time::text(first), "count": count }),
    )?;
    Ok(count)
}
