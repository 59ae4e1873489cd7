//! Checks that a machine has what Kael needs. Only the command prints.

mod fix;
mod isolation;
mod programs;
#[cfg(feature = "serve")]
mod server;
mod settings;
mod storage;

pub use fix::{Fix, Fixed, fix};
#[cfg(feature = "serve")]
pub use server::examine_server;

use serde::Serialize;

use crate::config::{Config, ConfigError, Confinement, Key};
use kael_engine::environment::Environment;
use kael_engine::executor::machine;

/// The state of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Ok,
    /// It works, but with fewer guarantees.
    Limited,
    /// It is missing, and only some actions need it.
    Absent,
    /// It is missing, and Kael needs it.
    Missing,
}

/// The state of one part, with its remedy.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The name of the part: one word.
    pub name: &'static str,
    /// How it was found.
    pub status: Status,
    /// What was found, and what that means.
    pub detail: String,
    /// The remedy, if one is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The fix for `doctor --fix`, if there is one.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            remedy: None,
            fix: None,
        }
    }

    fn new(name: &'static str, status: Status, detail: impl Into<String>, remedy: &str) -> Self {
        Self {
            name,
            status,
            detail: detail.into(),
            remedy: Some(remedy.to_owned()),
            fix: None,
        }
    }
}

/// Checks everything. With `confinement: required`, a missing part of the confinement counts as
/// missing. If the configuration is wrong, the other checks use the defaults.
pub async fn examine(
    config: Result<&Config, &ConfigError>,
    environment: &Environment,
) -> Vec<Finding> {
    let data = environment.data_folder();
    let settled = config.ok();
    let named = settled.and_then(|config| config.path(Key::Envyr));
    let runner = settled.map(Config::runner).unwrap_or_default();
    // Before anything else: to look at programs makes this folder.
    let folder = storage::data(&data);
    let mut findings = vec![
        settings::config(config),
        programs::envyr(runner, named.as_deref(), environment, &data),
        folder,
        storage::caches(&data),
        settings::repo(settled).await,
    ];
    findings.extend(programs::languages(environment));
    findings.push(programs::containers(environment, &data));
    let wanted = settled.map(Config::confinement).unwrap_or_default();
    if wanted == Confinement::Off {
        findings.push(isolation::off());
        return findings;
    }
    let confinement = isolation::findings(&machine().await);
    findings.extend(confinement.into_iter().map(|finding| match finding.status {
        Status::Limited if wanted == Confinement::Required => Finding {
            status: Status::Missing,
            ..finding
        },
        _ => finding,
    }));
    findings
}
