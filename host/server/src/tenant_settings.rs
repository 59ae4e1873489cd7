//! What an operator decides about a tenant, and the limits of one run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kael_engine::limits::Limits;
use kael_engine::units::{ByteSize, TimeLimit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::checkout::GitSettings;
use crate::keep::Keep;

/// What an operator decides about a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSettings {
    /// The folder of its actions repo; without one, its scripts have no actions.
    #[schema(value_type = Option<String>)]
    pub actions: Option<PathBuf>,
    /// An actions repo in git, in place of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSettings>,
    /// Policy files that hold for all of its runs.
    #[schema(value_type = Vec<String>)]
    pub policy: Vec<PathBuf>,
    /// How much of the server it gets beside other tenants.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u32,
    /// Runs at the same time.
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_running: u32,
    /// Runs that may wait for their turn.
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub max_queued: u64,
    /// Runs that may wait for a time, a signal or a person: with as many, no new ones are taken.
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub max_waiting: u64,
    /// How long a run is kept after its end, such as `30d`.
    #[schema(example = "30d")]
    pub keep_runs: String,
    /// How long its output, calls and result are, such as `7d`; what is left is its state and its error.
    #[schema(example = "7d")]
    pub keep_output: String,
    /// What its scripts and the output of its runs may have in the store, such as `10GiB`.
    #[schema(example = "10GiB")]
    pub max_storage: String,
    /// The most that one run may use.
    pub limits: RunLimits,
    /// The variables that its actions may ask for by name; those of the server are not among them.
    pub env: BTreeMap<String, String>,
    /// A list of secrets with where each comes from, beside those that the tenant keeps itself.
    #[schema(value_type = Option<String>)]
    pub secrets: Option<PathBuf>,
    /// What is open to the standard library in its scripts, as in a policy file: `http`, `fs`, `db`, `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub grants: Option<serde_json::Value>,
}

impl TenantSettings {
    /// How long its runs are kept, and how much it may have in the store.
    ///
    /// # Errors
    /// Which setting is no time or no size.
    pub(crate) fn keep(&self) -> Result<Keep, String> {
        Keep::of(&self.keep_runs, &self.keep_output, &self.max_storage)
    }
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            actions: None,
            git: None,
            policy: Vec::new(),
            weight: 1,
            max_running: 16,
            max_queued: 10_000,
            max_waiting: 10_000,
            keep_runs: "30d".to_owned(),
            keep_output: "7d".to_owned(),
            max_storage: "10GiB".to_owned(),
            limits: RunLimits::default(),
            env: BTreeMap::new(),
            secrets: None,
            grants: None,
        }
    }
}

/// Limits of a run; each that is not given is the tenant's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// Memory of the script, such as `64MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "64MiB")]
    pub memory: Option<String>,
    /// Time that the script may compute, such as `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10s")]
    pub cpu: Option<String>,
    /// Time that the run may take, such as `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub timeout: Option<String>,
    /// Bytes that the script may print, such as `1MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1MiB")]
    pub output: Option<String>,
    /// Actions that the script may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Actions that may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
}

impl RunLimits {
    /// The limits, where those that are not given are those of `most`.
    ///
    /// # Errors
    /// Which of them cannot be read, or is larger than that of `most`.
    pub fn within(&self, most: &Limits) -> Result<Limits, String> {
        let mut limits = most.clone();
        let size = |name: &str, text: &Option<String>, most: ByteSize| match text {
            None => Ok(most),
            Some(text) => match text.parse::<ByteSize>() {
                Ok(size) if size <= most => Ok(size),
                Ok(size) => Err(over(name, &size, &most)),
                Err(error) => Err(format!("`limits.{name}`: {error}")),
            },
        };
        let time = |name: &str, text: &Option<String>, most: TimeLimit| match text {
            None => Ok(most),
            Some(text) => match text.parse::<TimeLimit>() {
                Ok(time) if time <= most => Ok(time),
                Ok(time) => Err(over(name, &time, &most)),
                Err(error) => Err(format!("`limits.{name}`: {error}")),
            },
        };
        let count = |name: &str, count: Option<u32>, most: u32| match count {
            None => Ok(most),
            Some(0) => Err(format!("`limits.{name}` must be at least 1")),
            Some(count) if count <= most => Ok(count),
            Some(count) => Err(over(name, &count, &most)),
        };
        limits.memory = size("memory", &self.memory, most.memory)?;
        limits.output = size("output", &self.output, most.output)?;
        limits.cpu = time("cpu", &self.cpu, most.cpu)?;
        limits.wall = time("timeout", &self.timeout, most.wall)?;
        limits.calls = count("calls", self.calls, most.calls)?;
        limits.parallel = count("parallel", self.parallel, most.parallel)?;
        Ok(limits)
    }
}

fn over(name: &str, asked: &dyn std::fmt::Display, most: &dyn std::fmt::Display) -> String {
    format!("`limits.{name}` is {asked}, and a run of this tenant may have {most}")
}

/// The most that a run of any tenant may use.
pub(crate) fn ceiling() -> Limits {
    Limits {
        memory: ByteSize::mib(4096),
        cpu: TimeLimit::from_secs(24 * 3600),
        wall: TimeLimit::from_secs(30 * 24 * 3600),
        output: ByteSize::mib(1024),
        calls: 10_000_000,
        parallel: 10_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_may_ask_for_less_and_not_for_more() {
        let most = Limits::default();
        let asked = RunLimits {
            memory: Some("64MiB".to_owned()),
            timeout: Some("10s".to_owned()),
            calls: Some(5),
            ..RunLimits::default()
        };
        let limits = asked.within(&most).expect("less");
        assert_eq!((limits.memory, limits.calls), (ByteSize::mib(64), 5));
        assert_eq!(limits.cpu, most.cpu);
        let wrong = |limits: RunLimits| limits.within(&most).expect_err("refused");
        let more = RunLimits {
            memory: Some("1GiB".to_owned()),
            ..RunLimits::default()
        };
        assert_eq!(
            wrong(more),
            "`limits.memory` is 1 GiB, and a run of this tenant may have 256 MiB"
        );
        let none = RunLimits {
            calls: Some(0),
            ..RunLimits::default()
        };
        assert_eq!(wrong(none), "`limits.calls` must be at least 1");
        let odd = RunLimits {
            cpu: Some("soon".to_owned()),
            ..RunLimits::default()
        };
        assert!(wrong(odd).starts_with("`limits.cpu`: `soon` is not a time"));
    }
}
