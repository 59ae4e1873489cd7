//! What the API shows of schedules and their fires.

use kael_store::{StoreError, Tx};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::tables::fires::{self, FireRow};
use crate::tables::schedules::ScheduleRow;
use crate::time;
use crate::triggers::plan::Plan;

/// Times that are shown of the future.
const NEXT: usize = 10;

/// A schedule, and when it fires.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// From 1; each change counts.
    pub version: i64,
    /// What it runs, and when: what a `PUT` takes.
    pub plan: Plan,
    /// Whether it does not fire until it is resumed.
    pub paused: bool,
    /// The next ten times, with its part of the jitter; none while it is paused.
    pub next: Vec<String>,
    /// When it last fired.
    pub last_fire: Option<String>,
    /// What became of the newest fire: `started`, `waiting`, `skipped`, `missed` or `refused`.
    pub last_outcome: Option<String>,
    /// Fires that wait for the run before them.
    #[serde(default)]
    pub waiting: i64,
    /// The newest fires; none in a list of schedules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fires: Vec<Fire>,
    /// Who put it: the name of the token.
    pub by: String,
    /// When it was made.
    pub created: String,
    /// When it was changed.
    pub changed: String,
}

/// A fire of a schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Fire {
    /// When it was due.
    pub at: String,
    /// `started`, `waiting`, `skipped`, `missed` or `refused`.
    pub outcome: String,
    /// Its run.
    pub run: Option<String>,
    /// Why it has none.
    pub why: Option<String>,
}

/// Schedules of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedules {
    /// By name.
    pub schedules: Vec<Schedule>,
    /// The `cursor` for the next ones; none if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which schedules a list has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PageParams {
    /// What an earlier answer gave as `next`.
    pub(crate) cursor: Option<String>,
    /// Schedules of one answer: 1 to 500, 100 unless this says otherwise.
    pub(crate) limit: Option<i64>,
}

impl Schedule {
    /// What is shown of a row with so many of its newest fires; none of one that a newer Kael wrote.
    pub(super) fn read(
        tx: &Tx<'_>,
        row: &ScheduleRow,
        count: i64,
    ) -> Result<Option<Self>, StoreError> {
        let mut newest = fires::list(tx, &row.id, count.max(1))?;
        let outcome = newest.first().map(|fire| fire.outcome.name().to_owned());
        newest.truncate(usize::try_from(count).unwrap_or(0));
        let waiting = fires::waiting_of(tx, &row.id)?;
        Ok(Self::of(row).map(|schedule| Self {
            last_outcome: outcome,
            waiting,
            fires: newest.into_iter().map(Fire::of).collect(),
            ..schedule
        }))
    }

    fn of(row: &ScheduleRow) -> Option<Self> {
        let plan = Plan::of(row)?;
        let next = match (row.due.filter(|_| !row.paused), plan.calendar()) {
            (Some(due), Ok(calendar)) => {
                let mut times = vec![due];
                times.extend(calendar.upcoming(due, NEXT - 1));
                times
            }
            _ => Vec::new(),
        };
        let delay = plan.delay(&row.id);
        Some(Self {
            name: row.name.clone(),
            version: row.version,
            paused: row.paused,
            next: next.iter().map(|at| time::text(at + delay)).collect(),
            last_fire: row.last_fire.map(time::text),
            last_outcome: None,
            waiting: 0,
            fires: Vec::new(),
            by: row.submitter.clone(),
            created: time::text(row.created),
            changed: time::text(row.changed),
            plan,
        })
    }
}

impl Fire {
    fn of(row: FireRow) -> Self {
        Self {
            at: time::text(row.at),
            outcome: row.outcome.name().to_owned(),
            run: row.run.map(|run| run.to_string()),
            why: row.why,
        }
    }
}
