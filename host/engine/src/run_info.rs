//! Which run something belongs to: its id, its tenant, and its clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use thiserror::Error;

pub use crate::run_id::RunId;
use crate::trace_context::TraceContext;

/// Bytes that the name of a tenant may have.
const MAX_TENANT: usize = 64;

/// For whom a run is done: records, traces and policies tell tenants apart by this name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(Arc<str>);

/// A text that cannot name a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the tenant `{}` must be 1 to {MAX_TENANT} letters, digits, `-`, `_` and `.` of ASCII",
    .0.escape_debug()
)]
pub struct InvalidTenant(String);

impl Tenant {
    /// The tenant of that name.
    ///
    /// # Errors
    /// When the text is no name.
    pub fn new(name: &str) -> Result<Self, InvalidTenant> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match !name.is_empty() && name.len() <= MAX_TENANT && name.bytes().all(plain) {
            true => Ok(Self(name.into())),
            false => Err(InvalidTenant(name.chars().take(MAX_TENANT).collect())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// The tenant `default`, for a host that has no others.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What every record, span and report of a run has in common.
#[derive(Debug)]
pub struct RunInfo {
    /// The id of the run.
    pub id: RunId,
    /// For whom it is done.
    pub tenant: Tenant,
    /// The distributed trace that it is a part of, if somebody keeps one.
    pub trace: Option<TraceContext>,
    /// When the run was asked for, by both clocks of the machine.
    asked: (Instant, SystemTime),
}

impl RunInfo {
    /// A new run of a tenant.
    #[must_use]
    pub fn new(tenant: Tenant) -> Arc<Self> {
        let asked = (Instant::now(), SystemTime::now());
        Arc::new(Self {
            id: RunId::at(asked.1),
            tenant,
            trace: None,
            asked,
        })
    }

    /// A run that has its id already: it goes on, or a server has named it.
    #[must_use]
    pub fn with_id(id: RunId, tenant: Tenant) -> Arc<Self> {
        Self::traced(id, tenant, None)
    }

    /// The same as a part of a distributed trace.
    #[must_use]
    pub fn traced(id: RunId, tenant: Tenant, trace: Option<TraceContext>) -> Arc<Self> {
        let asked = (Instant::now(), SystemTime::now());
        Arc::new(Self {
            id,
            tenant,
            trace,
            asked,
        })
    }

    /// The time of day at a moment of the run. All times of one run come from one look at the
    /// clock, so that an administrator who sets it cannot bring them out of order.
    #[must_use]
    pub fn time_of(&self, moment: Instant) -> SystemTime {
        let (monotonic, time) = self.asked;
        match moment.checked_duration_since(monotonic) {
            Some(later) => time + later,
            None => time - monotonic.saturating_duration_since(moment),
        }
    }

    /// The same as text.
    #[must_use]
    pub fn timestamp(&self, moment: Instant) -> String {
        timestamp(self.time_of(moment))
    }
}

/// A time as RFC 3339 has it, in UTC, with milliseconds: `2026-01-31T09:30:00.250Z`.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_differ_and_sort_by_time() {
        let at = |seconds| RunId::at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_ne!(at(5), at(5));
        assert!(at(1) < at(2) && at(2) < at(2_000_000_000));
        let text = RunInfo::new(Tenant::default()).id.to_string();
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'7'), "{text}");
    }

    #[test]
    fn times_of_a_run_are_in_utc_and_in_order() {
        let run = RunInfo::new(Tenant::default());
        let later = run.asked.0 + Duration::from_millis(1500);
        let between = run.time_of(later).duration_since(run.time_of(run.asked.0));
        assert_eq!(between.ok(), Some(Duration::from_millis(1500)));
        let leap = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_007);
        assert_eq!(timestamp(leap), "2024-02-29T12:34:56.007Z");
    }

    #[test]
    fn a_tenant_is_a_plain_name() {
        for good in ["default", "team-a", "a.b_C9", &"x".repeat(MAX_TENANT)] {
            assert_eq!(Tenant::new(good).expect("a name").as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(MAX_TENANT + 1)] {
            assert!(Tenant::new(bad).is_err(), "{bad:?}");
        }
    }
}
