//! What a schedule runs, and when: its settings as a person sends them and as the store has them.

use std::collections::BTreeMap;

use kael_engine::units::TimeLimit;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::calendar::Calendar;
use super::due::CatchUp;
use super::stored::{self, Reference};
use crate::api::run_row::check_fields;
use crate::api::types::Submit;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::tables::schedules::ScheduleRow;
use crate::tenant::Tenant;
use crate::tenant_settings::RunLimits;
use crate::time;

/// The most by which a schedule's fires are later than its pattern says.
const MAX_JITTER: i64 = 3600 * time::SECOND;

/// What happens to a fire while the run of the one before goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It waits for the end of that run.
    Queue,
    /// That run is cancelled, and this one begins when it has ended.
    CancelPrevious,
    /// Both run.
    Allow,
}

/// A schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// When: minute, hour, day, month and weekday, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[schema(example = "30 4 * * 1-5")]
    pub cron: String,
    /// The time zone of the pattern, as the IANA names it.
    #[serde(default = "utc")]
    #[schema(example = "Europe/Berlin")]
    pub zone: String,
    /// The stored script: `NAME`, whose newest version runs, or `NAME@VERSION`.
    pub script: String,
    /// What the script finds in `arg` and `...`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Texts by which its runs can be found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Limits that are stricter than the tenant's own.
    #[serde(default)]
    pub limits: RunLimits,
    /// Whether only actions without effects may be called.
    #[serde(default)]
    pub read_only: bool,
    /// What happens to a fire while the run of the one before goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens to fires that were due while the server could not begin them.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Up to an hour, such as `10m`: all fires are later by the same part of it, another one for each schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// Fires from this time on count, as RFC 3339 has it: from the making of the schedule on, unless this says
    /// otherwise. Those in the past are caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Plan {
    /// The plan of a row; none if a newer Kael wrote it.
    pub(crate) fn of(row: &ScheduleRow) -> Option<Self> {
        serde_json::from_str(&row.settings).ok()
    }

    /// Its times.
    ///
    /// # Errors
    /// What is wrong with its pattern or its zone.
    pub(crate) fn calendar(&self) -> Result<Calendar, String> {
        Calendar::new(&self.cron, &self.zone)
    }

    /// Refuses what could never run.
    pub(crate) fn check(&self, tenant: &Tenant) -> Result<(), Problem> {
        let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
        let calendar = self.calendar().map_err(invalid)?;
        if calendar.after(time::now()).is_none() {
            return Err(invalid(format!(
                "`cron`: no day has a time of `{}`",
                self.cron
            )));
        }
        Reference::parse(&self.script).ok_or_else(|| stored::missing(&self.script))?;
        self.jitter().map_err(invalid)?;
        self.from().map_err(invalid)?;
        check_fields(tenant, &self.submit())?;
        Ok(())
    }

    /// What its runs ask for.
    pub(crate) fn submit(&self) -> Submit {
        Submit {
            args: self.args.clone(),
            labels: self.labels.clone(),
            limits: self.limits.clone(),
            read_only: self.read_only,
            ..Submit::default()
        }
    }

    /// The time from which on fires count.
    pub(crate) fn from(&self) -> Result<Option<i64>, String> {
        let parsed = self.from.as_deref().map(time::parse).transpose();
        parsed.map_err(|why| format!("`from`: {why}"))
    }

    fn jitter(&self) -> Result<i64, String> {
        let Some(text) = &self.jitter else {
            return Ok(0);
        };
        let jitter: TimeLimit = text.parse().map_err(|error| format!("`jitter`: {error}"))?;
        match time::micros(jitter.duration()) {
            jitter if jitter <= MAX_JITTER => Ok(jitter),
            _ => Err(format!("`jitter` is {text}, and may be an hour")),
        }
    }

    /// By how much the fires of a schedule are later than its pattern says.
    pub(crate) fn delay(&self, schedule: &Id) -> i64 {
        let jitter = self
            .jitter()
            .ok()
            .and_then(|jitter| u64::try_from(jitter).ok());
        let digest: [u8; 32] = Sha256::digest(schedule.bytes()).into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let part = u64::from_be_bytes(first) % (jitter.unwrap_or(0) + 1);
        i64::try_from(part).unwrap_or(0)
    }

    /// Whether its times are those of another plan.
    pub(crate) fn same_times(&self, other: &Self) -> bool {
        (&self.cron, &self.zone, &self.from) == (&other.cron, &other.zone, &other.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_its_own_part_of_the_jitter() {
        let plan = |jitter: &str| Plan {
            jitter: Some(jitter.to_owned()),
            ..serde_json::from_str(r#"{"cron":"@daily","script":"a"}"#).expect("a plan")
        };
        let tenth = plan("10m");
        let all: Vec<i64> = (0..100).map(|_| tenth.delay(&Id::new())).collect();
        assert!(
            all.iter()
                .all(|delay| (0..=600 * time::SECOND).contains(delay))
        );
        assert!(all.iter().max() > all.iter().min());
        let id = Id::new();
        assert_eq!(tenth.delay(&id), tenth.delay(&id));
        assert!(plan("61m").jitter().is_err() && plan("soon").jitter().is_err());
        let none: Plan = serde_json::from_str(r#"{"cron":"@daily","script":"a"}"#).expect("a plan");
        assert_eq!((none.delay(&id), none.zone.as_str()), (0, "UTC"));
    }
}
